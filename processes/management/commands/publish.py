"""`manage.py publish`: makes drafts immutable, numbered revisions."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from activities.models import Activity
from activities.services import publish_activity
from config.errors import NotFound
from processes.management.command import BlueprintCommand
from processes.models import Process
from processes.services import publish_together


class Command(BlueprintCommand):
    help = "Publishes drafts of processes and of store activities, all of them or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("ids", nargs="*", metavar="PROCESS", help="ids of processes")
        parser.add_argument("--activity", action="append", default=[], metavar="ID", help="a store activity, first")

    @transaction.atomic
    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints the revision of each. Raises NotFound, NotPermitted, InvalidInput."""
        now, lines, warnings = timezone.now(), list[str](), list[str]()
        for activity in _found(Activity, options["activity"]):
            lines.append(f"Activity {publish_activity(actor, activity, now=now)}")
        done = publish_together(actor, _found(Process, options["ids"]), now=now)
        for publication in done:
            lines.append(f"Process {publication.revision}{'' if publication.is_new else ' (unchanged)'}")
            warnings += [f"Warning: {publication.revision.process.slug}: {one}" for one in publication.warnings]
        self.stdout.write("\n".join(lines or ["Nothing to publish: name processes, or activities with --activity."]))
        for warning in warnings:
            self.stderr.write(warning)


def _found(table: Any, slugs: Iterable[str]) -> list[Any]:
    rows = {row.slug: row for row in table.objects.filter(slug__in=list(slugs))}
    for slug in slugs:
        if slug not in rows:
            raise NotFound(f"There is no {table._meta.verbose_name} '{slug}'.")
    return list(rows.values())
