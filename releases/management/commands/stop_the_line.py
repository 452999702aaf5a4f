"""`manage.py stop_the_line`: freezes everything, or what is named, from this moment."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from processes.schema_formats import is_moment
from releases.services.freezing import stop_the_line

KINDS = {
    "group": "groups",
    "process": "processes",
    "resource": "resources",
    "service": "services",
    "environment": "environments",
    "tag": "tags",
}


class Command(BlueprintCommand):
    help = "Stops the line: nothing in scope starts from now on, until it is lifted or until a moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", required=True, help="why, for those whose release does not start")
        parser.add_argument("--until", metavar="MOMENT", help="such as 2026-01-08T09:00+01:00; else until it is lifted")
        parser.add_argument("--everything", action="store_true", help="stop everything")
        for kind in KINDS:
            parser.add_argument(f"--{kind}", action="append", default=[], metavar="ID", help=f"stop this {kind} only")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints the id of the freeze. Raises NotPermitted, InvalidInput."""
        scope: dict[str, Any] = {key: options[kind] for kind, key in KINDS.items() if options[kind]}
        if options["everything"]:
            scope["everything"] = True
        until = options["until"]
        if until is not None and not is_moment(until):
            raise InvalidInput([Fault("until", "This is no moment.", "Write it like 2026-01-08T09:00+01:00.")])
        freeze = stop_the_line(
            actor,
            scope=scope,
            reason=options["reason"],
            until=None if until is None else datetime.fromisoformat(until),
            now=timezone.now(),
        )
        self.stdout.write(f"Freeze {freeze.slug}: lift it with `lift_freeze {freeze.slug} --reason ...`")
