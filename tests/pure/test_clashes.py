"""Which releases clash, found in one walk: just those that comparing every two of them finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from calendar_app.clashes import Held, clashing
from releases.conflicts import Holding, pairs

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def held(pk: int, start: int, end: int | None, *, what: str = "resource:cart", group: int | None = None) -> Held:
    ends_at = None if end is None else NOON + timedelta(hours=end)
    return Held(what, NOON + timedelta(hours=start), ends_at, pk, group)


def test_two_that_hold_one_thing_at_once_clash() -> None:
    assert clashing([held(1, 0, 2), held(2, 1, 3), held(3, 3, 4)]) == {1, 2}


def test_other_things_and_one_group_do_not_clash() -> None:
    assert clashing([held(1, 0, 2), held(2, 1, 3, what="resource:shop")]) == set()
    assert clashing([held(1, 0, 2, group=7), held(2, 1, 3, group=7)]) == set()


def test_one_without_an_end_clashes_with_all_that_come_later() -> None:
    assert clashing([held(1, 0, None), held(2, 500, 501)]) == {1, 2}


_HELD = st.builds(
    lambda pk, start, length, what, group: held(
        pk, start, None if length is None else start + length, what=what, group=group
    ),
    st.integers(1, 1000),
    st.integers(0, 30),
    st.none() | st.integers(1, 10),
    st.sampled_from(["resource:cart", "user:ann"]),
    st.none() | st.integers(1, 3),
)


@given(st.lists(_HELD, max_size=25, unique_by=lambda one: one.release_id))
def test_it_finds_what_comparing_every_two_finds(all_of_it: list[Held]) -> None:
    holdings = [Holding(one.what, one.release_id, "", one.starts_at, one.ends_at, one.group_id) for one in all_of_it]
    assert clashing(all_of_it) == {one.release_id for met in pairs(holdings) for one in met[:2]}
