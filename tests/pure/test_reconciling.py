"""What becomes of a group's planned releases when its cadence is planned anew."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from releases.reconciling import Pairs, Planned, numbered, reconcile

ZONE = "Europe/Berlin"


def at(day: int, hour: int = 8, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def free(number: int, moment: datetime) -> Planned:
    return Planned(number, moment, is_free=True)


def fixed(number: int, moment: datetime) -> Planned:
    return Planned(number, moment, is_free=False)


def past(number: int, moment: datetime) -> Planned:
    return Planned(number, moment, is_free=False, is_ahead=False)


@pytest.mark.parametrize(
    ("planned", "wanted", "expected"),
    [
        ([], [at(4), at(11)], Pairs(created=[at(4), at(11)])),
        ([free(1, at(4))], [at(4)], Pairs(moved={1: at(4)})),
        ([free(1, at(4))], [at(4, 10)], Pairs(moved={1: at(4, 10)})),
        ([free(1, at(4)), free(2, at(11))], [at(5), at(12)], Pairs(moved={1: at(5), 2: at(12)})),
        ([free(1, at(4)), free(2, at(11))], [at(4)], Pairs(moved={1: at(4)}, removed=[2])),
        ([free(1, at(4))], [at(14)], Pairs(removed=[1], created=[at(14)])),
        ([fixed(1, at(4))], [at(4)], Pairs()),
        ([fixed(1, at(4))], [at(4, 10)], Pairs(claimed={1: at(4, 10)})),
        ([fixed(1, at(4))], [at(5)], Pairs(claimed={1: at(5)})),
        ([fixed(1, at(4)), free(2, at(11))], [at(2), at(9)], Pairs(claimed={1: at(2)}, moved={2: at(9)})),
        ([fixed(1, at(4))], [at(8)], Pairs(created=[at(8)])),
        ([fixed(1, at(4)), free(2, at(5)), free(3, at(6))], [at(7)], Pairs(moved={2: at(7)}, removed=[3])),
        ([past(1, at(4))], [at(5)], Pairs(created=[at(5)])),
        ([past(1, at(4))], [at(4, 10)], Pairs(claimed={1: at(4, 10)})),
        ([free(1, at(4)), free(2, at(5))], [at(5), at(6)], Pairs(moved={2: at(5), 1: at(6)})),
    ],
    ids=[
        "new occurrences are created",
        "the same moment stays",
        "another time of day moves",
        "another weekday moves each to its own week",
        "what the rule no longer names is removed",
        "what is far away is not the same any more",
        "a fixed release keeps its occurrence",
        "a fixed release keeps it when the time of day changes",
        "a fixed release keeps it when the day changes",
        "each keeps its own week",
        "a fixed release does not stand for what is far away",
        "a fixed release does not take what lies nearer to another",
        "what is over does not stand for another day",
        "what is over stands for its day",
        "an exact match comes before a near one",
    ],
)
def test_releases_follow_their_occurrences(planned, wanted, expected):
    assert reconcile(planned, wanted, ZONE) == expected


def test_the_day_is_the_day_in_the_groups_zone():
    late, early = datetime(2026, 6, 3, 22, 30, tzinfo=UTC), datetime(2026, 6, 4, 7, tzinfo=UTC)
    assert reconcile([past(1, late)], [early], ZONE) == Pairs(claimed={1: early})
    assert reconcile([past(1, late)], [early], "UTC") == Pairs(created=[early])


def test_a_date_that_people_add_is_claimed_by_no_release_of_another_day():
    assert reconcile([fixed(1, at(4))], [at(5)], ZONE, extra={at(5)}) == Pairs(created=[at(5)])
    assert reconcile([fixed(1, at(4))], [at(5), at(6)], ZONE, extra={at(5)}) == Pairs(
        claimed={1: at(6)}, created=[at(5)]
    )
    assert reconcile([free(1, at(4))], [at(5)], ZONE, extra={at(5)}) == Pairs(moved={1: at(5)})


def test_planning_what_is_planned_changes_nothing():
    wanted = [at(4), at(11), at(18)]
    planned = [free(1, at(4)), fixed(2, at(11)), free(3, at(18))]
    assert reconcile(planned, wanted, ZONE) == Pairs(moved={1: at(4), 3: at(18)})


@pytest.mark.parametrize(
    ("others", "moments", "expected"),
    [
        ([], [at(4), at(11)], [1, 2]),
        ([(at(4), 7)], [at(11), at(18)], [8, 9]),
        ([(at(4), 1), (at(18), 3)], [at(11), at(25)], [2, 4]),
        ([(at(18), 2)], [at(11), at(25)], [1, 3]),
    ],
    ids=["from one", "after what was before", "around what is fixed", "before what is fixed"],
)
def test_numbers_ascend_and_leave_out_what_is_taken(others, moments, expected):
    assert list(numbered(others, moments).values()) == expected
