"""How far releases have come, for bars in lists: counted over activities that do work, not over what holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from releases.models import ActivityRun

_GOOD = frozenset({"succeeded", "skipped"})
_CARE = frozenset({"ignored", "on_hold"})
_ILL = frozenset({"failed"})
_DEAD = frozenset({"aborted"})
_BUSY = frozenset({"queued", "running", "waiting"})


@dataclass(slots=True)
class Progress:
    """Numbers of activities: all, well, ignored or on hold, failed, under way, aborted; `settled` leaves these out."""

    total: int = 0
    good: int = 0
    care: int = 0
    ill: int = 0
    busy: int = 0
    dead: int = 0
    settled: int = 0

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """The bar's coloured parts: name, where it begins and how long it is, in percent."""
        parts, begin = [], 0.0
        for name in ("good", "care", "ill", "busy", "dead"):
            length = 100 * getattr(self, name) / self.total if self.total else 0.0
            if length:
                parts.append((name, round(begin, 2), round(length, 2)))
            begin += length
        return parts

    def add(self, state: str, number: int) -> None:
        """Count `number` activities in `state`."""
        self.total += number
        self.settled += number if state in _GOOD | _ILL | {"ignored"} else 0
        for name, states in (("good", _GOOD), ("care", _CARE), ("ill", _ILL), ("busy", _BUSY), ("dead", _DEAD)):
            if state in states:
                setattr(self, name, getattr(self, name) + number)


def progress_of(release_ids: Iterable[int]) -> dict[int, Progress]:
    """Return the progress of each release, in one query; one that has not started has no activities."""
    ids = list(release_ids)
    found = {release_id: Progress() for release_id in ids}
    leaves = ActivityRun.objects.filter(release__in=ids).exclude(kind__in=["subprocess", "for_each"]).order_by()
    for release_id, state, number in leaves.values_list("release_id", "state").annotate(number=Count("pk")):
        found[release_id].add(state, number)
    return found
