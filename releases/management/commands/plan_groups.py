"""`manage.py plan_groups [GROUP...]`: plans release groups ahead now, as the tick does when their time comes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.permissions import require
from processes.management.command import BlueprintCommand
from releases.management.named import group_named, lines_of
from releases.reading.freezes import visible_groups
from releases.services import trains


class Command(BlueprintCommand):
    help = "Plans the releases of groups ahead now, all groups or those that are named, and tells what that changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("groups", nargs="*", metavar="GROUP", help="ids of release groups (default: all)")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints each group with its changes; what people have touched is kept. Raises NotFound, NotPermitted."""
        named = [group_named(actor, slug) for slug in options["groups"]]
        groups = named or list(visible_groups(actor).order_by("slug"))
        for group in groups:
            require(actor, "releases.change_releasegroup", group)
        for group in groups:
            changes = [one for one in trains.plan_group(group.pk, now=timezone.now()) if one.kind != "kept"]
            self.stdout.write(f"{group.slug}: {len(changes) or 'no'} {'change' if len(changes) == 1 else 'changes'}")
            for line in lines_of(changes):
                self.stdout.write(f"  {line}")
