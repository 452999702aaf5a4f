"""Encrypts all secrets with the current key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from activities.secrets import rotate
from config.errors import PilothouseError


class Command(BaseCommand):
    help = "Encrypts all secrets with the first of PILOTHOUSE_SECRET_KEYS; afterwards the other keys may be removed."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            done = rotate()
        except PilothouseError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{done} secrets were encrypted with the current key.")
