"""`manage.py diff PROCESS A B`: what changed between two revisions."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.contrib.auth.models import User

from config.errors import NotFound
from config.permissions import require
from processes.management.command import BlueprintCommand
from processes.models import Process
from processes.services import diff_revisions, latest_revision

DRAFT = "draft"
LATEST = "latest"


class Command(BlueprintCommand):
    help = "Shows what changed between two revisions of a process; 'draft' is the draft, 'latest' the latest revision."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("process", help="id of the process")
        parser.add_argument("a", nargs="?", type=_revision, default=LATEST, help="a number, latest (default) or draft")
        parser.add_argument("b", nargs="?", type=_revision, default=DRAFT, help="a number, latest or draft (default)")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints one sentence per change. Raises NotFound, NotPermitted."""
        process = Process.objects.filter(slug=options["process"]).first()
        if process is None:
            raise NotFound(f"There is no process '{options['process']}'.")
        require(actor, "processes.view_process", process)
        changes = diff_revisions(process, _number(process, options["a"]), _number(process, options["b"]))
        self.stdout.write("\n".join(change.words for change in changes) or "Nothing changed.")


def _revision(text: str) -> int | str:
    if text in (DRAFT, LATEST):
        return text
    if text.isascii() and text.isdecimal() and 0 < int(text) < 2**31:
        return int(text)
    raise ArgumentTypeError(f"'{text}' is not a revision: give a number, latest or draft")


def _number(process: Process, revision: int | str) -> int | None:
    if isinstance(revision, int):
        return revision
    if revision == DRAFT:
        return None
    latest = latest_revision(process)
    if latest is None:
        raise NotFound(f"'{process.slug}' has not been published.")
    return latest.number
