"""Windows that overlap and the time between them, against an oracle that looks at every minute."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from releases import conflicts
from releases.conflicts import MOMENT, Holding, Stretch
from tests.builders import MONDAY

MINUTE = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return MONDAY + minute * MINUTE


def span(start: int, end: int | None) -> Stretch:
    return Stretch(at(start), None if end is None else at(end))


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ((0, 10), (10, 20), None),
        ((0, 10), (9, 20), (9, 10)),
        ((0, None), (50, 60), (50, 60)),
        ((0, None), (50, None), (50, None)),
        ((0, 10), (2, 3), (2, 3)),
        ((5, 6), (7, 8), None),
    ],
)
def test_two_spans_share_what_lies_in_both(one, other, shared):
    wanted = None if shared is None else span(*shared)
    assert conflicts.overlap(span(*one), span(*other)) == wanted
    assert conflicts.overlap(span(*other), span(*one)) == wanted


def test_a_moment_meets_what_contains_it_and_another_at_the_same_moment():
    moment = span(5, 5)
    assert conflicts.overlap(moment, span(0, 10)) == Stretch(at(5), at(5) + MOMENT)
    assert conflicts.overlaps(moment, moment)
    assert not conflicts.overlaps(moment, span(0, 5))
    assert conflicts.overlaps(moment, span(5, 9))


def test_spans_that_touch_become_one_and_an_open_one_takes_everything_after_it():
    found = conflicts.merged([span(20, 30), span(0, 5), span(5, 8), span(7, 9), span(25, None), span(40, 50)])
    assert found == [span(0, 9), span(20, None)]


def test_a_slot_lies_between_two_that_are_just_far_enough_apart():
    busy = [span(10, 20), span(30, 40)]

    def free(after: int, length: int, before: int = 100) -> datetime | None:
        return conflicts.next_free_slot(busy, after=at(after), length=length * MINUTE, before=at(before))

    assert free(0, 10) == at(0)
    assert free(1, 10) == at(20)
    assert free(1, 11) == at(40)
    assert free(15, 1) == at(20)
    assert free(1, 60) == at(40)
    assert free(1, 61) is None
    assert conflicts.next_free_slot([span(10, None)], after=at(1), length=10 * MINUTE, before=at(1000)) is None


def some_spans(rng: random.Random) -> list[Stretch]:
    starts = [rng.randrange(40) for _ in range(rng.randrange(7))]
    return [span(start, None if rng.random() < 0.05 else start + rng.randrange(1, 12)) for start in starts]


def holds(one: Stretch, minute: int) -> bool:
    return one.starts_at <= at(minute) and (one.ends_at is None or at(minute) < one.ends_at)


@pytest.mark.parametrize("seed", range(300))
def test_slots_merging_and_overlaps_are_as_a_look_at_every_minute_finds_them(seed):
    rng = random.Random(seed)
    busy, length, after, before = some_spans(rng), rng.randrange(1, 9), rng.randrange(30), rng.randrange(30, 70)
    taken = {minute for minute in range(100) if any(holds(one, minute) for one in busy)}
    starts = (s for s in range(after, before - length + 1) if not taken & set(range(s, s + length)))
    wanted = next(starts, None)
    found = conflicts.next_free_slot(busy, after=at(after), length=length * MINUTE, before=at(before))
    assert found == (None if wanted is None else at(wanted))
    merged = conflicts.merged(busy)
    assert {minute for minute in range(100) if any(holds(one, minute) for one in merged)} == taken
    assert all(one.ends_at is not None and one.ends_at < two.starts_at for one, two in pairwise(merged))
    for one in busy:
        for other in busy:
            shared = {minute for minute in range(100) if holds(one, minute) and holds(other, minute)}
            meet = conflicts.overlap(one, other)
            assert {minute for minute in range(100) if meet and holds(meet, minute)} == shared


@pytest.mark.parametrize("seed", range(100))
def test_pairs_are_every_two_releases_that_hold_the_same_at_once_those_of_a_group_only_what_one_may_have(seed):
    rng = random.Random(seed)
    held = [
        Holding(
            what=(what := rng.choice(["resource:a", "resource:b", "user:c"])),
            release_id=rng.randrange(6),
            name="",
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            group_id=rng.choice([None, 1, 2]),
            exclusive=what == "resource:b",
        )
        for _ in range(3)
        for one in some_spans(rng)
    ]
    wanted = sorted(
        (one.what, min(i, j), max(i, j))
        for i, one in enumerate(held)
        for j, other in enumerate(held)
        if i < j
        and one.what == other.what
        and one.release_id != other.release_id
        and (one.exclusive or one.group_id is None or one.group_id != other.group_id)
        and conflicts.overlaps(one, other)
    )
    places = {id(one): place for place, one in enumerate(held)}
    found = sorted((one.what, *sorted((places[id(one)], places[id(other)]))) for one, other, _ in conflicts.pairs(held))
    assert found == wanted


def test_a_conflict_stops_only_over_an_exclusive_resource_that_a_running_release_holds():
    def stops(**facts: bool) -> bool:
        other = Holding("resource:cart", 7, "Spring", at(0), at(9), **facts)
        return conflicts.conflict_with(other, span(0, 9)).stops

    assert [stops(), stops(running=True), stops(exclusive=True), stops(running=True, exclusive=True)] == [
        False,
        False,
        False,
        True,
    ]
    person = Holding("user:ann", 7, "Spring", at(0), at(9), running=True, exclusive=True)
    assert conflicts.conflict_with(person, span(0, 9)).stops is False


@pytest.mark.parametrize("what", ["resource:cart", "user:ann", "group:qa"])
@pytest.mark.parametrize("running", [True, False])
def test_what_a_conflict_says_never_names_the_other_release(what, running):
    other = Holding(what, 7, "Secret Spring", at(0), at(9), running=running, exclusive=True)
    finding = conflicts.finding_of(conflicts.conflict_with(other, span(0, 9)))
    assert (finding.code, finding.path) == ("conflict", "R-7")
    assert "Secret" not in finding.message + finding.cure
    hidden = conflicts.unseen(conflicts.conflict_with(other, span(0, 9)))
    assert (hidden.release_id, hidden.name) == (None, "a release you may not see")
    assert conflicts.finding_of(hidden).path == ""
