"""`manage.py lift_freeze`: ends the window of a freeze that is open now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import NotFound
from processes.management.command import BlueprintCommand
from releases.models import Freeze
from releases.services.freezing import lift_freeze


class Command(BlueprintCommand):
    help = "Lifts a freeze that applies now; its later windows stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", metavar="FREEZE", help="the id of the freeze")
        parser.add_argument("--reason", required=True, help="why, for those who read the trail")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Raises NotFound, NotPermitted, InvalidInput, Conflict."""
        freeze = Freeze.objects.filter(slug=options["id"]).first()
        if freeze is None:
            raise NotFound(f"There is no freeze '{options['id']}'.")
        lift_freeze(actor, freeze, now=timezone.now(), reason=options["reason"])
        self.stdout.write(f"Freeze {freeze.slug}: lifted")
