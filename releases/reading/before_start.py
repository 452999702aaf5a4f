"""What stands in a release's way, as one person may see it: other releases are named only to those who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from config.trail import Actor
from releases import mentions
from releases.findings import Finding
from releases.models import Release
from releases.reading import unstarted
from releases.reading.links import Link
from releases.services.preflight import preflight

#: The states in which a release may still be started, or scheduled again for it.
MAY_START = ("draft", "scheduled", "missed")


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding, with the release that it is about if the reader may see it."""

    finding: Finding
    other: Release | None = None


@dataclass(slots=True)
class BeforeStart:
    """A release that has not started: what would stop it, what it waits for, what would only disturb it.

    `earliest_at` is the earliest moment it may start by what is known; without one `hangs_on` says on what that hangs.
    `is_open` says whether it may still start as it is: one that was called off has to be scheduled again.
    """

    is_open: bool
    stops: list[Standing] = field(default_factory=list)
    waits: list[Link] = field(default_factory=list)
    notes: list[Standing] = field(default_factory=list)
    earliest_at: datetime | None = None
    hangs_on: str = ""


def before_start(actor: Actor, release: Release, *, now: datetime) -> BeforeStart:
    """Return what stands in the way of a release that has not started, as it is now and as `actor` may see it."""
    is_open = release.state in MAY_START
    found = preflight(release, now=now) if is_open else []
    links = unstarted.links_with(release, found, now=now)
    earliest_at, hangs_on = unstarted.earliest_of(links, now=now)
    codes, kinds = {finding.code for finding in found}, {link.kind for link in links}
    said_twice = "no_start_by_itself" if "no_auto_start" in kinds else ""
    standings = standings_for(actor, [finding for finding in found if finding.code != said_twice])
    return BeforeStart(
        is_open,
        stops=[one for one in standings if one.finding.stops],
        waits=[link for link in links if link.kind not in codes],
        notes=[one for one in standings if not one.finding.stops],
        earliest_at=earliest_at,
        hangs_on=hangs_on,
    )


def standings_for(actor: Actor, findings: Iterable[Finding]) -> list[Standing]:
    """Return findings as `actor` may see them: the path of one about a release they may not see is empty. One query."""
    return standings_of_many(actor, [list(findings)])[0]


def standings_of_many(actor: Actor, lists: Sequence[Sequence[Finding]]) -> list[list[Standing]]:
    """The same for several lists of findings, still in one query."""
    seen = mentions.seen_among(actor, (mentions.mentioned_in(one) for findings in lists for one in findings))
    return [[_standing(finding, seen) for finding in findings] for findings in lists]


def _standing(finding: Finding, seen: dict[int, Release]) -> Standing:
    pk = mentions.mentioned_in(finding)
    if pk is None:
        return Standing(finding)
    other = seen.get(pk)
    return Standing(finding if other is not None else replace(finding, path=""), other)
