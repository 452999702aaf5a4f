"""`manage.py grant_exception`: grants an exception from a freeze that somebody has asked for."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import NotFound
from processes.management.command import BlueprintCommand
from releases.models import FreezeException
from releases.reading.freezes import visible_exceptions
from releases.services.exempting import grant_exception


class Command(BlueprintCommand):
    help = "Grants an exception from a freeze; without a number, lists those that wait."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("number", nargs="?", type=int, help="the number of the exception")
        parser.add_argument("--reason", default="", help="why, for those who read the trail")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Raises NotFound, NotPermitted, Conflict."""
        if options["number"] is None:
            self._list(actor)
            return
        exception = visible_exceptions(actor).filter(pk=options["number"]).first()
        if exception is None:
            raise NotFound(f"There is no exception {options['number']}.")
        granted = grant_exception(actor, exception, now=timezone.now(), reason=options["reason"])
        self.stdout.write(f"{granted}: granted until {granted.expires_at:%Y-%m-%d %H:%M %Z}")

    def _list(self, actor: User | None) -> None:
        waiting = visible_exceptions(actor).filter(state=FreezeException.State.PENDING)
        for one in waiting.order_by("pk"):
            self.stdout.write(f"{one.pk}: {one}, asked by {one.asked_by_name}: {one.reason}")
