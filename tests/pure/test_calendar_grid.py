"""Where things stand in the calendar: lanes over days, columns within a day, days on which the clocks change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calendar_app import grid
from calendar_app.periods import EARLIEST, LATEST, VIEWS, add_months, period_of

MONDAY = date(2026, 6, 1)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Item:
    starts: datetime
    ends: datetime


def item(start: str, end: str = "") -> Item:
    begins = datetime.fromisoformat(f"2026-06-{start}")
    return Item(begins, datetime.fromisoformat(f"2026-06-{end}") if end else begins)


def bars(*items: Item, most: int = 5) -> list[tuple[int, int, int]]:
    return [(bar.at, bar.length, bar.lane) for bar in grid.row(items, MONDAY, 7, most).bars]


def test_what_ends_at_midnight_does_not_touch_the_day_that_begins_then() -> None:
    assert grid.last_day(item("01T09:00", "02T00:00")) == MONDAY
    assert grid.last_day(item("01T00:00")) == MONDAY
    assert bars(item("01T09:00", "03T00:00")) == [(0, 2, 0)]


def test_bars_take_the_highest_lane_that_is_free() -> None:
    assert bars(item("01T09:00", "03T09:00"), item("02T09:00", "04T09:00"), item("04T10:00", "04T11:00")) == [
        (0, 3, 0),
        (1, 3, 1),
        (3, 1, 0),
    ]


def test_of_what_starts_on_one_day_the_longest_comes_first() -> None:
    assert bars(item("01T08:00", "01T09:00"), item("01T09:00", "05T09:00")) == [(0, 5, 0), (0, 1, 1)]


def test_a_bar_says_whether_it_begins_and_ends_in_its_week() -> None:
    before = Item(datetime.fromisoformat("2026-05-30"), datetime.fromisoformat("2026-06-02T09:00"))
    beyond = item("06T09:00", "08T09:00")
    first, second = grid.row([before, beyond], MONDAY, 7, 3).bars
    assert (first.at, first.length, first.is_start, first.is_end) == (0, 2, False, True)
    assert (second.at, second.length, second.is_start, second.is_end) == (5, 2, True, False)
    assert grid.row([before, beyond], MONDAY + timedelta(days=14), 7, 3).bars == []


def test_of_forty_on_a_day_five_have_a_lane_and_the_rest_are_counted() -> None:
    row = grid.row([item("03T09:00", "04T10:00") for _ in range(40)], MONDAY, 7, 5)
    assert (len(row.bars), row.lanes) == (5, 5)
    assert row.hidden == [0, 0, 35, 35, 0, 0, 0]


def test_what_overlaps_within_a_day_shares_the_width() -> None:
    items = [item("01T09:00", "01T11:00"), item("01T10:00", "01T12:00"), item("01T11:00", "01T12:00")]
    blocks = grid.column(items, MONDAY, 4).blocks
    assert [(block.at, block.length, block.column, block.of) for block in blocks] == [
        (36, 8, 0, 2),
        (40, 8, 1, 2),
        (44, 4, 0, 2),
    ]


def test_what_does_not_overlap_has_the_whole_width() -> None:
    blocks = grid.column([item("01T09:00", "01T10:00"), item("01T10:00", "01T11:00")], MONDAY, 4).blocks
    assert [block.of for block in blocks] == [1, 1]


def test_of_forty_at_once_three_are_drawn_and_a_note_counts_the_rest() -> None:
    column = grid.column([item("01T09:00", "01T10:00") for _ in range(40)], MONDAY, 4)
    assert [block.column for block in column.blocks] == [0, 1, 2]
    assert [(rest.count, rest.at, rest.length, rest.column, rest.of) for rest in column.rests] == [(37, 36, 4, 3, 4)]


def test_a_moment_late_at_night_is_still_large_enough_to_be_seen() -> None:
    (block,) = grid.column([item("01T23:59")], MONDAY, 4).blocks
    assert (block.at, block.length) == (94, 2)


def test_what_crosses_midnight_is_cut_at_both_days() -> None:
    night = item("01T22:00", "02T02:00")
    (evening,) = grid.column([night], MONDAY, 4).blocks
    (morning,) = grid.column([night], MONDAY + timedelta(days=1), 4).blocks
    assert (evening.at, evening.length, evening.is_start, evening.is_end) == (88, 8, True, False)
    assert (morning.at, morning.length, morning.is_start, morning.is_end) == (0, 8, False, True)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 1), ("2026-10-25", -1), ("2026-06-01", 0)])
def test_days_on_which_the_clocks_change_are_known(day: str, hours: int) -> None:
    assert grid.clock_change(date.fromisoformat(day), BERLIN) == timedelta(hours=hours)


def test_a_day_of_23_hours_begins_and_ends_at_its_own_midnights() -> None:
    begin, end = (grid.at_midnight(date(2026, 3, day), BERLIN) for day in (29, 30))
    assert end - begin == timedelta(hours=23)
    assert begin == datetime(2026, 3, 28, 23, tzinfo=UTC)


def test_places_are_said_in_two_digits() -> None:
    assert grid.place(37, 4) == "t3 u7 m0 n4"
    assert grid.place(0, 96) == "t0 u0 m9 n6"


@pytest.mark.parametrize(
    ("view", "day", "first", "until", "title"),
    [
        ("month", "2026-06-04", "2026-06-01", "2026-07-06", "June 2026"),
        ("month", "2026-02-01", "2026-01-26", "2026-03-02", "February 2026"),
        ("month", "2027-02-28", "2027-02-01", "2027-03-01", "February 2027"),
        ("week", "2027-01-01", "2026-12-28", "2027-01-04", "28 Dec 2026 \N{EN DASH} 3 Jan 2027"),
        ("week", "2026-06-04", "2026-06-01", "2026-06-08", "1 \N{EN DASH} 7 June 2026"),
        ("day", "2026-06-04", "2026-06-04", "2026-06-05", "Thursday 4 June 2026"),
        ("quarter", "2026-11-30", "2026-09-28", "2027-01-04", "Q4 2026"),
        ("list", "2026-06-04", "2026-06-04", "2026-07-05", "4 Jun \N{EN DASH} 4 Jul 2026"),
    ],
)
def test_what_a_view_covers(view: str, day: str, first: str, until: str, title: str) -> None:
    period = period_of(view, date.fromisoformat(day))
    assert (period.first.isoformat(), period.until.isoformat(), period.title) == (first, until, title)


@given(st.sampled_from(sorted(VIEWS)), st.dates(EARLIEST, LATEST))
def test_a_step_forth_and_back_leads_to_where_one_was(view: str, day: date) -> None:
    period = period_of(view, day)
    assert period.first <= period.begins <= period.ends < period.until
    assert period.begins <= day <= period.ends
    if period.previous > EARLIEST and period.next < LATEST:
        assert period_of(view, period.next).begins == period.ends + timedelta(days=1)
        assert period_of(view, period_of(view, period.next).previous).begins == period.begins
    assert len(period.days) <= 98


def test_the_last_of_a_month_stays_the_last() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2026, 1, 31), -2) == date(2025, 11, 30)


@given(st.lists(st.tuples(st.integers(-900, 900), st.integers(0, 600)), max_size=20))
def test_a_week_counts_what_touches_any_of_its_days(spans: list[tuple[int, int]]) -> None:
    midnight = datetime.combine(MONDAY, time())
    items = [Item(midnight + timedelta(hours=at), midnight + timedelta(hours=at + long)) for at, long in spans]
    mondays = [MONDAY + timedelta(days=7 * number) for number in range(3)]
    counted = [sum(grid.touches(one, day, day + timedelta(days=6)) for one in items) for day in mondays]
    assert grid.per_week(items, MONDAY, 3) == counted


@given(st.lists(st.tuples(st.integers(-200, 400), st.integers(0, 300)), max_size=40), st.integers(1, 6))
def test_no_two_bars_and_no_two_blocks_ever_cover_each_other(spans: list[tuple[int, int]], most: int) -> None:
    midnight = datetime.combine(MONDAY, time())
    items = [Item(midnight + timedelta(hours=at), midnight + timedelta(hours=at + long)) for at, long in spans]
    row = grid.row(items, MONDAY, 7, most)
    cells = [(bar.lane, number) for bar in row.bars for number in range(bar.at, bar.at + bar.length)]
    assert len(cells) == len(set(cells))
    assert all(0 <= lane < most and 0 <= number < 7 for lane, number in cells)
    touching = [sum(grid.touches(one, day, day) for one in items) for day in period_of("week", MONDAY).days]
    shown = [sum(number == column for _, number in cells) for column in range(7)]
    assert [one + more for one, more in zip(shown, row.hidden, strict=True)] == touching
    column = grid.column(items, MONDAY, most)
    areas: list[Any] = [*column.blocks, *column.rests]
    assert sum(rest.count for rest in column.rests) + len(column.blocks) == touching[0]
    for one in areas:
        assert 0 <= one.at < one.at + one.length <= 96
        assert one.column < one.of <= most
        others = [other for other in areas if other is not one and other.column == one.column]
        assert all(other.at >= one.at + one.length or other.at + other.length <= one.at for other in others)
