"""`manage.py free_slot LENGTH RESOURCE...`: when resources are free next."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config import durations
from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from releases.services.slots import free_slot


class Command(BlueprintCommand):
    help = "Tells the next time in which no release uses the resources and no freeze applies to them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("length", help="how long, such as 2h or 3d")
        parser.add_argument("resources", nargs="+", help="ids of resources")
        parser.add_argument("--days", type=int, default=90, help="how many days to look ahead")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints the slot. Raises InvalidInput."""
        if not durations.is_duration(options["length"]):
            raise InvalidInput([Fault("length", "This is no length of time.", "Write it like 2h or 3d.")])
        now, length = timezone.now(), durations.parse(options["length"])
        before = now + timedelta(days=min(max(options["days"], 0), 10_000))
        start = free_slot(actor, whats=options["resources"], length=length, after=now, before=before, now=now)
        if start is None:
            self.stdout.write(f"There is none within {options['days']} days.")
        else:
            self.stdout.write(f"{start:%Y-%m-%d %H:%M} to {start + length:%Y-%m-%d %H:%M} UTC")
