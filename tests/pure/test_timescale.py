"""Where moments lie on a line, and what is written under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from releases.reading.timescale import Bar, Scale

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def after(**length: float) -> Scale:
    return Scale(NINE, NINE + timedelta(**length))


@pytest.mark.parametrize(
    ("scale", "texts"),
    [
        (after(minutes=30), ["09:00", "09:05", "09:10", "09:15", "09:20", "09:25", "09:30"]),
        (after(seconds=20), ["09:00:00", "09:00:05", "09:00:10", "09:00:15", "09:00:20"]),
        (after(hours=30), ["12:00", "18:00", "Tue 3 Mar", "06:00", "12:00"]),
        (after(days=5), ["Tue 3 Mar", "Wed 4 Mar", "Thu 5 Mar", "Fri 6 Mar", "Sat 7 Mar"]),
    ],
)
def test_round_moments_are_written(scale: Scale, texts: list[str]) -> None:
    assert [tick.text for tick in scale.ticks(UTC)] == texts


def test_only_a_day_that_begins_among_hours_is_marked() -> None:
    assert [tick.is_day for tick in after(hours=30).ticks(UTC)] == [False, False, True, False, False]
    assert not any(tick.is_day for tick in after(days=5).ticks(UTC))


def test_they_are_round_in_the_readers_zone_and_days_begin_at_its_midnight() -> None:
    ticks = after(days=3).ticks(BERLIN)
    assert [tick.text for tick in ticks][:2] == ["12:00", "Tue 3 Mar"]
    assert ticks[1].x == round(100 * 14 / 72, 3)


def test_an_hour_that_comes_twice_is_no_trouble() -> None:
    night = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    xs = [tick.x for tick in Scale(night, night + timedelta(hours=5)).ticks(BERLIN)]
    assert xs == sorted(set(xs))


def test_bars_stay_on_the_line_and_can_be_seen() -> None:
    hour = after(hours=1)
    assert hour.bar(NINE, NINE + timedelta(minutes=30)) == Bar(0.0, 50.0)
    assert hour.bar(NINE - timedelta(days=1), NINE) == Bar(0.0, 0.4)
    assert hour.bar(NINE + timedelta(days=1), NINE + timedelta(days=2)) == Bar(99.6, 0.4)
    assert Scale(NINE, NINE).at(NINE) == 0


@pytest.mark.parametrize("days", [1e-4, 0.1, 1, 30, 400, 4000])
def test_there_are_never_many(days: float) -> None:
    assert 1 <= len(after(days=days).ticks(UTC)) <= 7
