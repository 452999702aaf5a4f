"""`manage.py move_release RELEASE WHEN`: moves a planned release, or the series from it on, or all of the series."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from processes.management.command import BlueprintCommand
from releases.management.named import lines_of, moment_named, release_named, utc
from releases.services.moving import SCOPES, THIS, move_release


class Command(BlueprintCommand):
    help = "Moves a planned release; it keeps its length."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", type=int, help="the release's number")
        parser.add_argument("when", help="its new start, such as 2026-01-08T09:00+01:00")
        parser.add_argument("--scope", choices=SCOPES, default=THIS, help="this one (default), those that follow, all")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints where it is now and what else moved. Raises NotFound, NotPermitted, InvalidInput, Conflict."""
        starts_at, release = moment_named(options["when"], "when"), release_named(actor, options["release"])
        with transaction.atomic():
            moved = move_release(actor, release, starts_at=starts_at, scope=options["scope"], now=timezone.now())
            transaction.set_rollback(options["dry_run"])
        self.stdout.write(f"R-{moved.release.pk} {moved.release}: {utc(moved.release.planned_start_at)}")
        for line in lines_of(moved.changes):
            self.stdout.write(f"  {line}")
        if options["dry_run"]:
            self.stdout.write("This was a dry run; nothing has changed.")
