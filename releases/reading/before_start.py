"""What stands in a release's way, as one person may see it: other releases are named only to those who may see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from config.trail import Actor
from releases import policy
from releases.findings import Finding
from releases.models import Release

_OTHER = re.compile(r"R-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding, with the release that it is about if the reader may see it."""

    finding: Finding
    other: Release | None = None


def standings_for(actor: Actor, findings: Iterable[Finding]) -> list[Standing]:
    """Return findings as `actor` may see them: the path of one about a release they may not see is empty. One query."""
    return standings_of_many(actor, [list(findings)])[0]


def standings_of_many(actor: Actor, lists: Sequence[Sequence[Finding]]) -> list[list[Standing]]:
    """The same for several lists of findings, still in one query."""
    ids = {pk for findings in lists for finding in findings if (pk := _other(finding)) is not None}
    seen = policy.visible_releases(actor).filter(pk__in=ids).only("name", "version").in_bulk() if ids else {}
    return [[_standing(finding, seen) for finding in findings] for findings in lists]


def _standing(finding: Finding, seen: dict[int, Release]) -> Standing:
    pk = _other(finding)
    if pk is None:
        return Standing(finding)
    other = seen.get(pk)
    return Standing(finding if other is not None else replace(finding, path=""), other)


def _other(finding: Finding) -> int | None:
    found = _OTHER.fullmatch(finding.path)
    return int(found[1]) if found else None
