"""`manage.py apply -f FILE`: makes the database say what documents say."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from processes.management.command import BlueprintCommand, read_source
from processes.services import apply


class Command(BlueprintCommand):
    help = "Applies documents (YAML or JSON): creates and changes drafts, all of them or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("-f", "--file", action="append", required=True, help="a file, or - for standard input")
        parser.add_argument("--publish", action="store_true", help="also publish activities and processes that differ")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints one line per document, then the warnings."""
        text, dry_run = read_source(options["file"]), options["dry_run"]
        done = apply(actor, text, now=timezone.now(), publish=options["publish"], dry_run=dry_run)
        for one in done:
            revision = f" (revision {one.revision})" if one.revision else ""
            self.stdout.write(f"{one.kind} {one.id}: {one.result}{revision}")
        for one in done:
            for warning in one.warnings:
                self.stderr.write(f"Warning: {one.kind} {one.id}: {warning}")
        if dry_run:
            self.stdout.write("This was a dry run; nothing has changed.")
