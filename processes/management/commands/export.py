"""`manage.py export`: gives documents back as YAML."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from config.errors import NotFound
from processes import kinds
from processes.management.command import BlueprintCommand
from processes.services import export


class Command(BlueprintCommand):
    help = "Writes documents as YAML: all of them, those of some kinds, or those with the given ids."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("ids", nargs="*", metavar="ID", help="ids; all documents when left out")
        parser.add_argument("--kind", action="append", help="only this kind, such as Process; may be repeated")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints the YAML text. Raises NotFound for an id that no chosen kind has."""
        ids, names = options["ids"], options["kind"]
        among = [kinds.kind(name) for name in names] if names else kinds.kinds()
        here = [(kind.name, slug) for kind in among for slug in kind.slugs(actor)]
        missing = sorted(set(ids) - {slug for _, slug in here})
        if missing:
            raise NotFound(f"There is no document '{missing[0]}'.")
        chosen = [(kind, slug) for kind, slug in here if not ids or slug in ids]
        self.stdout.write(export(actor, chosen), ending="")
