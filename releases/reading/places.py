"""Pages of a sorted list of releases, in both directions, from a place that stays right while rows come and go.

A place is the row a page goes on from: its id and its value in the order, `12~2026-03-02T09:00:00+00:00`. What has no
value in the order comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.db.models import F, Q, QuerySet

from releases.models import Release

COLUMNS = {"planned": "planned_start_at", "started": "started_at", "finished": "finished_at", "name": "name"}


@dataclass(frozen=True, slots=True)
class Order:
    """An order of releases, by one column and then by id; without a column only by id."""

    column: str = ""
    is_down: bool = True

    @classmethod
    def of(cls, sort: str) -> Self:
        """Return the order of a search: `planned`, `-started`; the newest first for none."""
        return cls(COLUMNS.get(sort.lstrip("-"), ""), sort.startswith("-")) if sort else cls()

    def place_of(self, release: Release) -> str:
        """Return the place of a row."""
        value = getattr(release, self.column) if self.column else None
        return f"{release.pk}~{value.isoformat() if isinstance(value, datetime) else value or ''}"

    def read_place(self, text: str) -> tuple[int, Any] | None:
        """Return the id and the value of a place; None for what is no place in this order."""
        number, _, value = text.replace("\0", "").partition("~")
        if not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        if self.column in ("", "name"):
            return int(number), value
        try:
            at = datetime.fromisoformat(value) if value else None
        except ValueError:
            return None
        return (int(number), at) if at is None or (at.tzinfo and 1 < at.year < 9999) else None


@dataclass(slots=True)
class Slice:
    """One page: its rows, and the places from which the pages after and before it go on, if there are any."""

    rows: list[Release] = field(default_factory=list)
    after: str = ""
    before: str = ""


def slice_of(releases: QuerySet[Release], order: Order, *, size: int, after: str = "", before: str = "") -> Slice:
    """Return the page of `size` rows after, or before, a place; the first page without a place."""
    back = order.read_place(before) if before else None
    place = back or (order.read_place(after) if after else None)
    if place is not None:
        releases = releases.filter(_beyond(order, place, forward=back is None))
    found = list(releases.order_by(*_columns(order, forward=back is None))[: size + 1])
    rows: Sequence[Release] = found[:size] if back is None else found[:size][::-1]
    if not rows:
        return Slice()
    has_more = len(found) > size
    has_after, has_before = (has_more, place is not None) if back is None else (True, has_more)
    return Slice(
        list(rows),
        after=order.place_of(rows[-1]) if has_after else "",
        before=order.place_of(rows[0]) if has_before else "",
    )


def _columns(order: Order, *, forward: bool) -> list[Any]:
    is_down = order.is_down == forward
    pk = F("pk").desc() if is_down else F("pk").asc()
    if not order.column:
        return [pk]
    nulls: dict[str, Any] = {"nulls_last": True} if forward else {"nulls_first": True}
    column = F(order.column)
    return [column.desc(**nulls) if is_down else column.asc(**nulls), pk]


def _beyond(order: Order, place: tuple[int, Any], *, forward: bool) -> Q:
    """Return the condition that a row comes after a place, or before it when going back."""
    number, value = place
    beyond = "lt" if order.is_down == forward else "gt"
    further = Q(**{f"pk__{beyond}": number})
    if not order.column:
        return further
    none = Q(**{f"{order.column}__isnull": True})
    if value is None:
        return none & further if forward else (none & further) | ~none
    same = Q(**{order.column: value}) & further
    past = Q(**{f"{order.column}__{beyond}": value}) | same
    return past | none if forward else past
