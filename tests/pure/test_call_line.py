"""How much a follower does at one connection, and when it leaves it alone."""

from __future__ import annotations

from itertools import pairwise

from releases.follower.line import CallLine


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def line() -> tuple[CallLine, Clock]:
    clock = Clock()
    return CallLine(3, clock), clock


def test_there_is_room_for_as_many_calls_as_the_limits_say() -> None:
    calls, _ = line()
    assert calls.room({}) == 20
    assert calls.room({"concurrency": 3}) == 3
    calls.begin(2)
    assert calls.room({"concurrency": 3}) == 1
    calls.end()
    assert calls.room({"concurrency": 3}) == 2
    assert calls.room({"concurrency": 0}) == 0
    assert calls.room({"concurrency": 1e9}) == 499


def test_calls_of_a_minute_are_counted() -> None:
    calls, clock = line()
    assert calls.room({"per_minute": 5}) == 5
    calls.begin(4)
    for _ in range(4):
        calls.end()
    assert calls.room({"per_minute": 5}) == 1
    clock.now += 61
    assert calls.room({"per_minute": 5}) == 5


def test_failures_in_a_row_bring_rests_that_grow_and_one_call_in_between() -> None:
    calls, clock = line()
    rests = []
    for _ in range(3):
        calls.failed()
    for _ in range(9):
        assert calls.room({}) == 0
        rests.append(calls.resumes_in)
        clock.now += calls.resumes_in
        assert calls.room({}) == 1
        calls.failed()
    assert 1 <= rests[0] <= 1.2
    assert all(later > earlier for earlier, later in pairwise(rests[:6]))
    assert max(rests) <= 72
    clock.now += calls.resumes_in
    calls.worked()
    assert calls.room({}) == 20


def test_failures_between_answers_bring_no_rest() -> None:
    calls, _ = line()
    for _ in range(10):
        calls.failed()
        calls.failed()
        calls.worked()
    assert not calls.is_resting


def test_an_engine_that_asks_for_it_is_left_alone() -> None:
    calls, clock = line()
    calls.failed(retry_after=300)
    assert 300 <= calls.resumes_in <= 360
    clock.now += 360
    assert calls.room({}) == 20
    calls.worked(rest=100)
    assert calls.room({}) == 0
