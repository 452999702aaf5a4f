"""`manage.py add_activities`: puts activities that come with Pilothouse into the store, ready to use."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from processes.management.command import BlueprintCommand
from processes.ready_made import shipped
from processes.services import add_ready_made, require_look, standings

STATES = {"absent": "", "current": "in the store", "outdated": "an earlier one is in the store", "changed": "changed"}


class Command(BlueprintCommand):
    help = "Adds the activities that come for providers to the store and publishes them; without providers, lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("providers", nargs="*", metavar="PROVIDER", help="such as unleash, prometheus, jira")
        parser.add_argument(
            "--connection", default="", metavar="ID", help="which they use; that of the provider's name if left out"
        )
        parser.add_argument("--prefix", default="", help="what their ids begin with")
        parser.add_argument("--replace", action="store_true", help="also replace what was changed since it was added")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints one line per activity. Raises InvalidInput, NotPermitted, Conflict; then nothing was added."""
        if not options["providers"]:
            self._list(actor)
            return
        chosen = {name: options[name] for name in ("connection", "prefix", "replace")}
        with transaction.atomic():
            added = [
                one
                for provider in options["providers"]
                for one in add_ready_made(actor, provider, now=timezone.now(), **chosen)
            ]
        for one in added:
            result = "left alone" if one.result == "left" else one.result
            revision = f" (revision {one.revision})" if one.revision else ""
            self.stdout.write(f"Activity {one.id}: {result}{revision}{f'. {one.why}' if one.why else ''}")

    def _list(self, actor: User | None) -> None:
        require_look(actor)
        for provider, found in standings(actor).items():
            self.stdout.write(f"{provider}: {shipped()[provider].title}")
            for one in found:
                words = [one.document["name"], *([STATES[one.state]] if one.state != "absent" else [])]
                self.stdout.write(f"  {one.document['id']:32} {'; '.join(words)}")
