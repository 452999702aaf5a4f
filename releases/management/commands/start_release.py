"""`manage.py start_release RELEASE --as USER`: starts a release now, if need be in spite of what stops it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from releases.management.named import release_named
from releases.services.starting import start_release


class Command(BlueprintCommand):
    help = "Starts a draft or scheduled release now, in somebody's name: who starts it does not sign it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", type=int, help="the release's number")
        parser.add_argument(
            "--break-glass", metavar="REASON", help="start in spite of what stops it; somebody else signs that off"
        )

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints its state. Raises NotFound, NotPermitted, InvalidInput, Conflict with everything that stops it."""
        if actor is None:
            raise InvalidInput([Fault("as", "A release is started in somebody's name.", "Add --as USER.")])
        release = release_named(actor, options["release"])
        started = start_release(actor, release, now=timezone.now(), break_glass=options["break_glass"])
        self.stdout.write(f"R-{started.pk} {started}: {started.state}")
        if options["break_glass"] is not None:
            self.stdout.write("Somebody else who operates it has to sign that off before the next one starts.")
