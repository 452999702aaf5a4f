"""Who hears of what in one web process, without Redis: words go straight to the hub."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from config.hints import address_of
from config.live.hub import Deaf, Full, Hub
from tests.loops import finish


def hearing(seats: int = 10, each: int = 10) -> Hub:
    hub = Hub("redis://localhost/0", seats=seats, each=each)
    hub.hears()
    return hub


def sync(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        finish(test())

    run.__name__ = test.__name__
    return run


def now() -> float:
    return time.monotonic()


@sync
async def test_a_page_hears_of_its_own_release_and_a_list_of_every_one() -> None:
    hub = hearing()
    page, other = (hub.take(1, frozenset({f"release:{pk}"}), since=now()) for pk in (12, 13))
    everything = hub.take(2, frozenset({"releases"}), since=now())
    hub.hear("12")
    assert await page.next(1) == ["release:12"]
    assert await everything.next(1) == ["releases"]
    assert await other.next(0.01) == []


@sync
async def test_what_happens_a_thousand_times_before_it_is_told_is_told_once() -> None:
    hub = hearing()
    seat = hub.take(1, frozenset({"release:12", "releases"}), since=now())
    for _ in range(1000):
        hub.hear("12 13")
    assert await seat.next(1) == ["release:12", "releases"]
    assert await seat.next(0.01) == []


@sync
async def test_a_change_without_a_release_concerns_lists_only() -> None:
    hub = hearing()
    page = hub.take(1, frozenset({"release:12"}), since=now())
    everything = hub.take(1, frozenset({"releases"}), since=now())
    hub.hear("")
    assert await everything.next(1) == ["releases"]
    assert await page.next(0.01) == []


@sync
async def test_a_page_hears_at_once_of_what_changed_since_it_was_drawn() -> None:
    hub = hearing()
    drawn_at = now()
    hub.hear("12")
    late = hub.take(1, frozenset({"release:12", "release:13"}), since=drawn_at)
    assert await late.next(1) == ["release:12"]
    fresh = hub.take(1, frozenset({"release:12"}), since=now())
    assert await fresh.next(0.01) == []


@sync
async def test_a_page_older_than_what_the_hub_has_heard_refreshes_everything() -> None:
    hub = hearing()
    seat = hub.take(1, frozenset({"release:12"}), since=now() - 60)
    assert await seat.next(1) == ["release:12"]


@sync
async def test_there_are_so_many_seats_for_one_person_and_for_all_and_they_are_given_back() -> None:
    hub = hearing(seats=3, each=2)
    seats = [hub.take(person, frozenset({"releases"}), since=now()) for person in (1, 1, 2)]
    for person in (1, 3):
        with pytest.raises(Full):
            hub.take(person, frozenset({"releases"}), since=now())
    for seat in seats:
        hub.leave(seat)
    assert len(hub) == 0
    hub.take(1, frozenset({"releases"}), since=now())


@sync
async def test_nobody_has_a_seat_while_redis_is_away_or_the_process_ends() -> None:
    deaf = Hub("redis://localhost/0", seats=1, each=1)
    with pytest.raises(Deaf):
        deaf.take(1, frozenset({"releases"}), since=now())
    hub = hearing()
    seat = hub.take(1, frozenset({"releases"}), since=now())
    hub.close()
    assert await seat.next(1) is None
    with pytest.raises(Deaf):
        hub.take(1, frozenset({"releases"}), since=now())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://host:6379/3", "redis://host:6379/3"),
        ("redis+socket:///run/valkey.sock?virtual_host=3", "unix:///run/valkey.sock?db=3"),
    ],
)
def test_the_broker_s_address_is_written_for_redis_own_library(given: str, expected: str) -> None:
    assert address_of(given) == expected
