"""`manage.py follow`: calls engines over the network and follows what runs there."""

from __future__ import annotations

import asyncio
import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from releases.follower.following import LEASE, MOST, WITHIN, Follower

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Starts pipelines at engines over the network and follows them, until it is asked to stop. Run any number."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--most", type=int, default=MOST, help="calls under way at once")
        parser.add_argument("--lease", type=float, default=LEASE, help="seconds for which an attempt is taken")
        parser.add_argument("--within", type=float, default=WITHIN, help="seconds that one call may take")

    def handle(self, *args: Any, most: int, lease: float, within: float, **options: Any) -> None:
        """Follows until SIGTERM or SIGINT."""
        if not 0 < within < lease:
            raise CommandError("A call must take less time than a lease.")
        asyncio.run(follow(Follower(most=most, lease=lease, within=within)))


async def follow(follower: Follower) -> None:
    """Follows until the process is asked to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, follower.stop)
    log.info("Following.")
    await follower.run()
    log.info("No longer following.")
