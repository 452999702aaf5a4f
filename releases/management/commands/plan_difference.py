"""`manage.py plan_difference -f FILE`: what applying release groups would do to planned releases."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.document import load
from processes.management.command import BlueprintCommand, read_source
from processes.schema import require_structure
from releases.groups import preview_group
from releases.management.named import lines_of


class Command(BlueprintCommand):
    help = "Tells what applying the release groups of a file would do to planned releases. Nothing is saved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("-f", "--file", action="append", required=True, help="a file, or - for standard input")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints what would be created, changed, removed and kept, by group. Raises InvalidInput, NotPermitted."""
        documents = load(read_source(options["file"]))
        require_structure(documents)
        groups = [document for document in documents if document["kind"] == "ReleaseGroup"]
        if not groups:
            raise InvalidInput([Fault("", "There is no ReleaseGroup in it.")])
        for document in groups:
            saved = preview_group(actor, document, now=timezone.now())
            self.stdout.write(f"{document['id']}: {saved.status}")
            for line in lines_of(saved.changes):
                self.stdout.write(f"  {line}")
