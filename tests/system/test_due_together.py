"""Releases that plan and start themselves, under several beats and workers that may die: each once, none forgotten."""

from __future__ import annotations

import json
import time

import pytest

from tests.system import stops
from tests.system.installation import wait_until
from tests.system.shop import ends_right, shop
from tests.system.stack import Stack

pytestmark = pytest.mark.system

STARTS = """
    SELECT count(*) FROM config_event WHERE verb = 'release.started' AND release_id = ANY(%(ids)s)
     GROUP BY release_id"""
GROUPS = """
    INSERT INTO releases_releasegroup (slug, name, description, color, process_id, body, version, next_plan_at)
    SELECT 'train-' || number, 'Train', '', '', process_id, %(body)s, 1, now()
      FROM releases_release, generate_series(1, 20) AS number WHERE releases_release.id = %(release)s
    RETURNING id"""
PLANNED = """
    SELECT count(*), count(DISTINCT occurs_at), min(sequence), max(sequence), count(DISTINCT sequence)
      FROM releases_release WHERE group_id = ANY(%(ids)s) GROUP BY group_id"""
LEFT = "SELECT count(*) FROM releases_releasegroup WHERE id = ANY(%(ids)s) AND next_plan_at <= now()"
CADENCE = {"rrule": "FREQ=DAILY", "start": "2026-01-01T09:00", "timezone": "Europe/Berlin", "duration": "1h"}


@pytest.fixture
def two_beats(running_stack: Stack) -> Stack:
    """The module's stack with two workers and two beats alive, and no stop armed."""
    running_stack.mend(beats=2)
    return running_stack


def all_started_once(stack: Stack, releases: list[int]) -> None:
    ends_right(stack, releases, within=90)
    assert stack.ask(STARTS, {"ids": releases}) == [(1,)] * len(releases)


def test_two_beats_and_two_workers_start_what_is_due_together_once_each(two_beats: Stack) -> None:
    all_started_once(two_beats, two_beats.start_releases(shop(two_beats), 6, due_in=2))


def test_a_tick_that_dies_between_its_commit_and_its_messages_is_made_good_by_the_next(two_beats: Stack) -> None:
    releases = two_beats.start_releases(shop(two_beats), 2, due_in=3)
    two_beats.arm(stops.BEFORE_BEGINS, "kill process")
    two_beats.wait_for(stops.BEFORE_BEGINS)
    all_started_once(two_beats, releases)


def test_two_beats_and_two_workers_plan_each_date_of_each_group_once(two_beats: Stack) -> None:
    (release,) = two_beats.start_releases(shop(two_beats))
    body = json.dumps({"cadence": CADENCE, "auto_start": False})
    ids = [group for (group,) in two_beats.ask(GROUPS, {"release": release, "body": body})]
    wait_until(lambda: two_beats.ask(LEFT, {"ids": ids}) == [(0,)], f"every group is planned{two_beats.told}")
    wait_until(lambda: len(two_beats.ask(PLANNED, {"ids": ids})) == 20, f"every group has its releases{two_beats.told}")
    found = two_beats.ask(PLANNED, {"ids": ids})
    assert len(set(found)) == 1
    ((count, dates, first, last, numbers),) = set(found)
    assert (dates, first, last, numbers) == (count, 1, count, count)
    assert count in (90, 91), "a date each day within ninety days"
    ends_right(two_beats, [release])


def test_what_became_due_while_nothing_ran_starts_once_when_it_runs_again(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 3, due_in=4)
    stack.kill_everything()
    time.sleep(5)
    stack.restart()
    all_started_once(stack, releases)
