"""`manage.py used_by KIND ID`: who uses a document."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from activities.models import Secret
from config.errors import NotFound
from config.permissions import require
from processes import kinds
from processes.management.command import BlueprintCommand
from processes.services import used_by

SECRET = "Secret"  # noqa: S105  a kind of thing, not a secret


class Command(BlueprintCommand):
    help = "Lists what uses a document: drafts, published revisions, input sets, release groups, releases."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("kind", help="Activity, Process, Connection, Resource, InputSet, ReleaseGroup or Secret")
        parser.add_argument("id")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints one line per user. Raises InvalidInput for an unknown kind, NotFound, NotPermitted."""
        uses = used_by(_thing(actor, options["kind"], options["id"]))
        self.stdout.write("\n".join(str(use) for use in uses) or "Nothing uses it.")


def _thing(actor: User | None, kind: str, identifier: str) -> Any:
    if kind == SECRET:
        found: Any = Secret.objects.filter(name=identifier).first()
        permission = "activities.view_secret"
    else:
        found = kinds.kind(kind).model._default_manager.filter(slug=identifier).first()
        permission = kinds.kind(kind).view_permission
    if found is None:
        raise NotFound(f"There is no {kind} '{identifier}'.")
    require(actor, permission, found)
    return found
