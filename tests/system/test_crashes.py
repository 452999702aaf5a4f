"""Whatever is killed, wherever it is: the release ends right, and no effect, no event is lost or doubled.

Real PostgreSQL, real broker, real Celery workers, the real beat, and real commands whose effect is a line in a file.
What takes half a minute in the product (a claim's lease, a message's repetition) takes a second here: see `stops`.
"""

from __future__ import annotations

import pytest

from tests.system import stops
from tests.system.installation import wait_until
from tests.system.shop import ends_right, shop
from tests.system.stack import Stack

pytestmark = pytest.mark.system


@pytest.mark.parametrize("step", stops.STEPS)
def test_a_process_killed_at_any_step_of_an_activity_is_made_good(stack: Stack, step: str) -> None:
    stack.arm(step, "kill process")
    releases = stack.start_releases(shop(stack))
    stack.wait_for(step)
    ends_right(stack, releases)


def test_a_worker_killed_with_all_its_processes_is_made_good_by_another(stack: Stack) -> None:
    stack.arm(stops.DURING_COMMAND, "kill worker")
    releases = stack.start_releases(shop(stack))
    stack.wait_for(stops.DURING_COMMAND)
    ends_right(stack, releases)


def test_a_tick_killed_between_its_commit_and_its_messages_is_made_good_by_the_next(stack: Stack) -> None:
    stack.arm(stops.IN_TICK, "kill process")
    stack.arm(stops.AFTER_CLAIM, "kill process")
    releases = stack.start_releases(shop(stack))
    stack.wait_for(stops.IN_TICK)
    ends_right(stack, releases)


@pytest.mark.parametrize("step", [stops.BEFORE_CLAIM, stops.AFTER_CLAIM, stops.BEFORE_RECORD, stops.BEFORE_COMMIT])
def test_a_database_connection_cut_at_any_step_is_made_good(stack: Stack, step: str) -> None:
    stack.arm(step, "cut")
    releases = stack.start_releases(shop(stack))
    stack.wait_for(step)
    ends_right(stack, releases)


def test_every_database_connection_cut_at_once_is_made_good(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 2)
    wait_until(lambda: stack.has_begun("lint"), "the first commands have run")
    stack.cut_connections()
    ends_right(stack, releases)


def test_a_broker_that_has_lost_every_message_is_made_good(stack: Stack) -> None:
    with stack.workers_frozen():
        releases = stack.start_releases(shop(stack), 4)
        assert stack.broker().llen("pilothouse") > 1
        stack.broker().flushall()
    ends_right(stack, releases)


def test_a_broker_killed_and_started_again_is_made_good(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 2)
    wait_until(lambda: stack.has_begun("compile"), "the first command has run")
    stack.kill("valkey-server")
    ends_right(stack, releases)


def test_a_database_killed_and_started_again_is_made_good(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 2)
    wait_until(lambda: stack.has_begun("compile"), "the first command has run")
    stack.kill("bin/postgres")
    ends_right(stack, releases)


def test_a_release_stands_still_while_beat_is_stopped_and_goes_on_with_the_next_one(stack: Stack) -> None:
    stack.stop(stack.beats)
    stack.arm(stops.AFTER_CLAIM, "kill process")
    releases = stack.start_releases(shop(stack))
    stack.wait_for(stops.AFTER_CLAIM)
    assert stack.states(releases) == ["running"]
    ends_right(stack, releases)


def test_two_beats_and_two_workers_do_nothing_twice(stack: Stack) -> None:
    stack.mend(beats=2)
    stack.arm(stops.BEFORE_RECORD, "kill worker")
    stack.arm(stops.AFTER_COMMIT, "kill process")
    releases = stack.start_releases(shop(stack), 4)
    ends_right(stack, releases)


def test_a_whole_stack_killed_at_once_goes_on_when_it_is_started_again(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 2)
    wait_until(lambda: stack.has_begun("package"), "a slow command runs")
    stack.kill_everything()
    stack.restart()
    ends_right(stack, releases)
