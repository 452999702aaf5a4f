"""`manage.py follow`: calls engines over the network and follows what runs there."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

from django.core.management.base import BaseCommand

from releases.follower import Follower

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Starts pipelines at engines over the network and follows them, until it is asked to stop. Run any number."

    def handle(self, *args: Any, **options: Any) -> None:
        """Follows until SIGTERM or SIGINT."""
        asyncio.run(follow())


async def follow() -> None:
    """Follows until the process is asked to stop."""
    follower = Follower()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, follower.stop)
    log.info("Following.")
    await follower.run()
    log.info("No longer following.")
