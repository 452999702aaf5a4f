"""What the commands about blueprints share: on whose behalf they act, and faults as readable lines with exit code 1."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from config.errors import InvalidInput, NotFound, PilothouseError


class BlueprintCommand(BaseCommand):
    """A command whose `run` may raise any error of ours; it is told in plain lines."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds `--as`; commands call this and add theirs."""
        parser.add_argument("--as", dest="person", metavar="USER", help="act with this person's permissions")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the command. Raises CommandError with one line per fault."""
        try:
            self.run(self._actor(options["person"]), options)
        except InvalidInput as error:
            raise CommandError(lines_of(error)) from None
        except PilothouseError as error:
            raise CommandError(error.message) from None

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Does the work on behalf of `actor`; None is the machine, which may do everything."""
        raise NotImplementedError

    def _actor(self, name: str | None) -> User | None:
        if name is None:
            return None
        found = User.objects.filter(username=name).first()
        if found is None:
            raise NotFound(f"There is no person '{name}'.")
        return found


def lines_of(error: InvalidInput) -> str:
    """The faults of an error: how many, then one line each."""
    count = len(error.faults)
    head = "There is 1 fault:" if count == 1 else f"There are {count} faults:"
    return "\n".join([head, *(f"  {fault}" for fault in error.faults)])


def read_source(files: Sequence[str]) -> str:
    """The text of the files, one document after the other; `-` is the standard input. Raises CommandError."""
    texts = []
    for name in files:
        try:
            texts.append(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"'{name}' cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return texts[0] if len(texts) == 1 else "\n---\n".join(texts)
