"""Many releases through many crashes at random moments. It takes minutes: `make crash`."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable

import psutil
import psycopg
import pytest

from tests.system import stops
from tests.system.installation import wait_until
from tests.system.shop import ends_right, shop
from tests.system.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.crash]

RELEASES = int(os.environ.get("CRASH_RELEASES", "40"))
BLOWS = int(os.environ.get("CRASH_BLOWS", "60"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1_000_000)
WITHIN = 600.0  # seconds for everything, the blows included


def test_releases_survive_whatever_is_killed_whenever(stack: Stack) -> None:
    chance = random.Random(SEED)
    releases = stack.start_releases(shop(stack), RELEASES)
    told = []
    for _ in range(BLOWS):
        time.sleep(chance.uniform(0.1, 1.5))
        stack.revive(beats=2)
        if stack.are_over(releases):
            break
        blow = chance.choice(list(BLOW))
        told.append(blow)
        BLOW[blow](stack, chance)
    sys.stdout.write(f"seed {SEED}: {len(told)} blows: {', '.join(told)}\n")
    ends_right(stack, releases, within=WITHIN)


def kill_pool_process(stack: Stack, chance: random.Random) -> None:
    found = [child for worker in stack.workers for child in psutil.Process(worker.pid).children()]
    if found:
        chance.choice(found).kill()


def cut_connections(stack: Stack, chance: random.Random) -> None:
    try:
        stack.cut_connections()
    except psycopg.OperationalError:
        return


def flush_broker(stack: Stack, chance: random.Random) -> None:
    wait_until(stack.broker_answers, "the broker answers")
    stack.broker().flushall()


def kill_everything(stack: Stack, chance: random.Random) -> None:
    stack.kill_everything()
    stack.restart()


def stop_somewhere(stack: Stack, chance: random.Random) -> None:
    stack.arm(chance.choice(stops.STEPS), chance.choice(list(stops.DEEDS)))


BLOW: dict[str, Callable[[Stack, random.Random], None]] = {
    "kill a pool process": kill_pool_process,
    "kill a worker": lambda stack, chance: chance.choice(stack.workers).kill(),
    "kill a beat": lambda stack, chance: chance.choice(stack.beats).kill(),
    "kill the broker": lambda stack, chance: stack.kill("valkey-server"),
    "kill the database": lambda stack, chance: stack.kill("bin/postgres"),
    "cut every connection": cut_connections,
    "flush the broker": flush_broker,
    "kill everything": kill_everything,
    "stop somewhere": stop_somewhere,
    "stop somewhere else": stop_somewhere,
}


def test_a_machine_that_fell_over_tries_again_what_was_lost(stack: Stack) -> None:
    releases = stack.start_releases(shop(stack), 2)
    wait_until(lambda: stack.has_begun("package"), "a slow command runs")
    stack.kill_everything()
    stack.kill_commands()
    stack.restart()
    ends_right(stack, releases, lost=True)
    assert stack.lost_attempts(releases)
