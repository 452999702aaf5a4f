"""Other releases that findings mention, as one person may see them: told only to those who may see those releases.

A finding says which other release it is about by its path (`R-12`), never in its words; so does the trail, in the
events of `FINDINGS`. What is stored is whole; whoever shows it asks here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from config.models import Event
from config.trail import Actor
from releases import policy
from releases.findings import Finding
from releases.models import BreakGlass, Release

#: Events that hold findings, whole or as the code of each with its path.
FINDINGS = ("release.glass_broken", "release.preflight_changed")
_OTHER = re.compile(r"(?:([a-z_]+) )?R-(\d{1,18})")


def mentioned_in(finding: Finding) -> int | None:
    """Return the id of the other release that a finding is about."""
    return next(_mentioned(finding.path), None)


def seen_among(actor: Actor, ids: Iterable[int | None]) -> dict[int, Release]:
    """Return the releases among `ids` that `actor` may see, by id. One query, none without ids."""
    wanted = {pk for pk in ids if pk is not None}
    return policy.visible_releases(actor).filter(pk__in=wanted).only("name", "version").in_bulk() if wanted else {}


def masked(actor: Actor, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with an empty path where they are about a release that `actor` may not see. One query."""
    listed = list(findings)
    seen = seen_among(actor, map(mentioned_in, listed))
    return [one if mentioned_in(one) in (None, *seen) else replace(one, path="") for one in listed]


def masked_events(actor: Actor, events: Iterable[Event]) -> list[Event]:
    """Return events for showing, never for saving, with the same left out of what they hold. One query."""
    listed = list(events)
    _mask(actor, [event for event in listed if event.verb in FINDINGS], "before", "after")
    return listed


def masked_debts(actor: Actor, debts: Iterable[BreakGlass]) -> list[BreakGlass]:
    """Return starts in spite of something for showing, never for saving, with the same left out. One query."""
    listed = list(debts)
    _mask(actor, listed, "ignored")
    return listed


def _mask(actor: Actor, rows: Iterable[Any], *columns: str) -> None:
    held = [(row, column, getattr(row, column)) for row in rows for column in columns]
    seen = seen_among(actor, (pk for _, _, value in held for pk in _mentioned(value)))
    for row, column, value in held:
        setattr(row, column, _without(value, seen))


def _mentioned(value: Any) -> Iterator[int]:
    """Yield the ids of the releases that a text, or any text in a JSON value, stands for."""
    if isinstance(value, str):
        found = _OTHER.fullmatch(value)
        yield from [int(found[2])] if found else []
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _mentioned(inner)


def _without(value: Any, seen: dict[int, Release]) -> Any:
    """Return a JSON value in which only the releases in `seen` are mentioned."""
    if isinstance(value, dict):
        return {key: _without(inner, seen) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, seen) for inner in value]
    found = _OTHER.fullmatch(value) if isinstance(value, str) else None
    return value if found is None or int(found[2]) in seen else found[1] or ""
