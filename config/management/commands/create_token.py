"""`manage.py create_token USER`: a key to the REST API, for those who work on the machine itself."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.errors import PilothouseError
from config.tokens import SCOPES, create_token


class Command(BaseCommand):
    help = "Makes an API token and prints its key, which is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="whose token; it may do what this person may")
        parser.add_argument("--name", default="command line", help="what it is for")
        parser.add_argument("--scope", choices=SCOPES, default="write", help="read looks; write (default) does all")
        parser.add_argument("--days", type=int, default=90, help="how long it is good; 0 is for ever (default 90)")

    def handle(self, *, user: str, name: str, scope: str, days: int, **options: Any) -> None:
        """Prints the key alone, so that a script can take it. Raises CommandError."""
        person = User.objects.filter(username=user, is_active=True).first()
        if person is None:
            raise CommandError(f"There is no active person '{user}'.")
        if not 0 <= days <= 3660:
            raise CommandError("--days is a number from 0 (for ever) to 3660.")
        now = timezone.now()
        expires_at = now + timedelta(days=days) if days else None
        try:
            _, key = create_token(person, name=name, scopes=(scope,), now=now, expires_at=expires_at)
        except PilothouseError as error:
            raise CommandError(error.message) from None
        self.stdout.write(key)
