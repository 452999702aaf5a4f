"""Sets the value of a named secret."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from activities.secrets import set_secret
from config.errors import PilothouseError


class Command(BaseCommand):
    help = "Sets the value of a named secret: asked for on a terminal, read from standard input otherwise."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what documents call it in `{secret: NAME}`")

    def handle(self, *_args: Any, **options: Any) -> None:
        name: str = options["name"]
        try:
            set_secret(None, name, read_value(name))
        except PilothouseError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"The secret '{name}' is set.")


def read_value(name: str) -> str:
    """Returns the value without the line end that closes it."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of '{name}': ")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
