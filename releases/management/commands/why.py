"""`manage.py why RELEASE [PATH]`: what a release, or one phase or activity of it, waits for."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import NotFound
from processes.management.command import BlueprintCommand
from releases import policy, reading
from releases.models import ActivityRun, PhaseRun, Release
from releases.reading import Blocked, Link, ReleaseBlocked


class Command(BlueprintCommand):
    help = "Says why a release, or one phase or activity in it, waits: for what, for whom, until when."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", type=int, help="the release's number")
        parser.add_argument("path", nargs="?", default="", help="a phase or activity, such as build/compile")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints one line per link, what it waits for in turn below it, moments in UTC. Raises NotFound."""
        release = (
            policy.visible_releases(actor).select_related("process", "group").filter(pk=options["release"]).first()
        )
        if release is None:
            raise NotFound("There is no such release, or you may not see it.")
        now, path = timezone.now(), options["path"]
        run = _run(release, path) if path else None
        found = reading.run_blocked(run, now=now) if run else reading.release_blocked(actor, release, now=now)
        self.stdout.write("\n".join(_told(found)))


def _run(release: Release, path: str) -> ActivityRun | PhaseRun:
    run: ActivityRun | PhaseRun | None = (
        ActivityRun.objects.filter(release=release, path=path).first()
        or PhaseRun.objects.filter(release=release, path=path).first()
    )
    if run is None:
        raise NotFound(f"The release has no phase or activity '{path}' (it has none before it has started).")
    run.release = release
    return run


def _told(found: ReleaseBlocked | Blocked) -> Iterator[str]:
    name = found.path if isinstance(found, Blocked) else f"Release {found.id}"
    yield f"{name}: {found.state.replace('_', ' ')}{_when(found.earliest_at, found.hangs_on)}"
    yield from _lines(found.links, 1, name)
    for run in found.runs if isinstance(found, ReleaseBlocked) else ():
        yield from _told(run)


def _when(at: datetime | None, hangs_on: str) -> str:
    if at is not None:
        return f"; may start at {at:%Y-%m-%d %H:%M} UTC"
    return f". {hangs_on}" if hangs_on else ""


def _lines(links: Iterable[Link], depth: int, at: str) -> Iterator[str]:
    for link in links:
        until = f" Until {link.until:%Y-%m-%d %H:%M} UTC." if link.until else ""
        who = f" [{', '.join(link.who)}]" if link.who else ""
        about = f"{link.path}: " if link.path not in (at, "") and link.path not in link.words else ""
        yield f"{'  ' * depth}{link.kind}: {about}{link.words}{until}{who}"
        yield from _lines(link.links, depth + 1, link.path)
