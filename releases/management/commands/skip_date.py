"""`manage.py skip_date GROUP DAY`: calls off what a release group plans for a day."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from processes.schema_formats import FORMATS
from releases import reading
from releases.management.named import group_named
from releases.models import ReleaseGroup
from releases.reading import NextDate
from releases.services.moving import skip_occurrence


class Command(BlueprintCommand):
    help = "Skips a date of a release group: calls off its release, or leaves the date out if none is planned yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("group", help="the id of a release group")
        parser.add_argument("day", help="a day in the group's zone, such as 2026-12-24, as `next_dates` shows it")
        parser.add_argument("--reason", required=True, help="why, for those who read the trail")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints what was called off. Raises NotFound, NotPermitted, InvalidInput, Conflict."""
        group = group_named(actor, options["group"])
        for one in _on(actor, group, options["day"]):
            release = skip_occurrence(
                actor, group, occurs_at=one.occurs_at, reason=options["reason"], now=timezone.now()
            )
            what = "the date is left out" if release is None else f"R-{release.pk} {release} is {release.state}"
            self.stdout.write(f"{group.slug} {one.wall.replace('T', ' ')}: {what}")


def _on(actor: User | None, group: ReleaseGroup, day: str) -> list[NextDate]:
    if not FORMATS.conforms(day, "day"):
        raise InvalidInput([Fault("day", "This is no day.", "Write it like 2026-12-24.")])
    zone = ZoneInfo(group.zone)
    start = datetime.combine(date.fromisoformat(day), time.min, zone)
    found = reading.next_dates(actor, group, after=start, before=start + timedelta(days=1)).dates
    if not found:
        raise InvalidInput([Fault("day", f"{group} has no date on {day}.", f"See `next_dates {group.slug}`.")])
    return found
