"""`manage.py next_dates GROUP`: the next dates of a release group, in its zone and in yours."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from releases import reading
from releases.management.named import group_named, zone_named
from releases.reading import NextDate

MOST = 200


class Command(BlueprintCommand):
    help = "Tells the next dates of a release group, where a rule bent one, and the release planned for each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("group", help="the id of a release group")
        parser.add_argument("--zone", default="UTC", help="your own time zone (default UTC)")
        parser.add_argument("--count", type=int, default=10, help=f"how many, at most {MOST} (default 10)")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints a line per date. Raises NotFound, InvalidInput."""
        if not 1 <= options["count"] <= MOST:
            raise InvalidInput([Fault("count", f"This is no number from 1 to {MOST}.")])
        zone, group = zone_named(options["zone"]), group_named(actor, options["group"])
        found = reading.next_dates(actor, group, after=timezone.now(), most=options["count"])
        self.stdout.write(f"{group}: {found.words or 'no cadence'}")
        for date in found.dates:
            self.stdout.write(_line(date, found.timezone, zone))


def _line(date: NextDate, own: str, zone: ZoneInfo) -> str:
    told = [f"{date.wall.replace('T', ' ')} {own}", f"{date.starts_at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"]
    told += [f"R-{date.release} {date.state}"] if date.release is not None else []
    return "  ".join([*told, *(f"[{bend.kind}: {bend.words}]" for bend in date.bends)])
