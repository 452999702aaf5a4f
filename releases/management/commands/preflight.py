"""`manage.py preflight [RELEASE | --group GROUP]`: what would stop releases, before they start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import NotFound
from processes.management.command import BlueprintCommand
from releases import policy
from releases.findings import Finding
from releases.services.preflight import preflight_many

MOST = 50


class Command(BlueprintCommand):
    help = "Tells what would stop or disturb a release, a group's next ones, or all that are scheduled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", nargs="?", type=int, help="the number of a release")
        parser.add_argument("--group", help="the id of a release group: its next releases")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints every release with its findings, at most 50. Raises NotFound."""
        releases = list(_wanted(actor, options["release"], options["group"])[:MOST])
        if not releases and options["release"] is not None:
            raise NotFound(f"There is no release {options['release']} that has not started.")
        found = preflight_many(releases, now=timezone.now())
        for release in releases:
            when = (
                ""
                if release.planned_start_at is None
                else f", planned for {release.planned_start_at:%Y-%m-%d %H:%M} UTC"
            )
            self.stdout.write(f"R-{release.pk} {release}{when}")
            for finding in found[release.pk]:
                self.stdout.write(f"  {_line(finding)}")
            if not found[release.pk]:
                self.stdout.write("  Nothing stops it.")
        if not releases:
            self.stdout.write("Nothing is scheduled.")


def _wanted(actor: User | None, number: int | None, group: str | None) -> Any:
    seen = policy.visible_releases(actor).filter(started_at=None).order_by("planned_start_at", "pk")
    if number is not None:
        return seen.filter(pk=number)
    seen = seen.filter(state="scheduled")
    return seen if group is None else seen.filter(group__slug=group)


def _line(finding: Finding) -> str:
    mark = "stops" if finding.stops else "note "
    return f"{mark} {finding.code}: {finding.message} {finding.cure}".rstrip()
