"""`manage.py check_process`: what publishing would say, without publishing."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from config.errors import NotFound
from config.permissions import visible
from processes.management.command import BlueprintCommand
from processes.models import Process
from processes.services import check_draft


class Command(BlueprintCommand):
    help = "Checks drafts of processes as publishing would; all processes when none is named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("ids", nargs="*", metavar="PROCESS", help="ids of processes")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints the warnings, and `ok` for each process without faults; fails with the faults of the others."""
        processes = visible(actor, "processes.view_process", Process.objects.all())
        rows = {process.slug: process for process in processes}
        faults: list[str] = []
        for slug in options["ids"] or rows:
            if slug not in rows:
                raise NotFound(f"There is no process '{slug}'.")
            verdict = check_draft(rows[slug])
            faults += [f"{slug}: {fault}" for fault in verdict.faults]
            for warning in verdict.warnings:
                self.stderr.write(f"Warning: {slug}: {warning}")
            if not verdict.faults:
                self.stdout.write(f"{slug}: ok")
        if faults:
            raise CommandError("\n  ".join(["This cannot be published:", *faults]))
