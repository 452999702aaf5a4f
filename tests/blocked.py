"""Short ways to draw a release in which things wait, and to ask why."""

from __future__ import annotations

from datetime import timedelta

from releases.models import Release
from releases.reading import Blocked, Link, run_blocked
from tests.builders import MONDAY, run_of


def auto(name: str, *more: str) -> str:
    """Return an automated activity of the scripted engine, whose pipeline has its name."""
    return "{" + ", ".join([f"id: {name}", *more, f"automated: {{connection: scripted, pipeline: {name}}}"]) + "}"


def by_hand(name: str, *more: str, does: str = "instructions: Look.") -> str:
    """Return a manual activity."""
    return "{" + ", ".join([f"id: {name}", *more, f"manual: {{{does}}}"]) + "}"


def phase(name: str, *activities: str, more: str = "") -> str:
    return f"{{id: {name}, owners: [group:qa], {more + ', ' if more else ''}activities: [{', '.join(activities)}]}}"


def phases(*lines: str, more: str = "") -> str:
    return f"id: process\n{more}\nphases:\n" + "\n".join(f"  - {line}" for line in lines)


def why(release: Release, path: str, *, after: timedelta = timedelta()) -> Blocked:
    """Return what an activity waits for, so long after the start."""
    run = run_of(release, path)
    run.release = Release.objects.get(pk=release.pk)
    return run_blocked(run, now=MONDAY + after)


def drawn(links: list[Link] | tuple[Link, ...]) -> list[object]:
    """Return links as kinds and what they are about, with what is behind them in a list."""
    shape: list[object] = []
    for link in links:
        name = f"{link.kind} {link.path or link.subject}".strip()
        shape.append((name, drawn(link.links)) if link.links else name)
    return shape
