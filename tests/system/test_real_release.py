"""A full release over a real Buildbot, Unleash and Prometheus, on the real stack: web, workers, follower and beat.

Where one of them cannot be had, this is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded import State
from tests.installed import CannotBeHad
from tests.real.engines import engines, install
from tests.real.story import Story
from tests.system.installation import Installation, processes_of, wait_until

pytestmark = pytest.mark.system
RUNS = {"shop", "sign", "create", "quarter", "watch"}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("real")
    try:
        install()
    except CannotBeHad as error:
        pytest.skip(f"A server cannot be had: {error}")
    site = Installation(folder / "state")
    site.environment |= {"PILOTHOUSE_OUTBOUND_ALLOW": "127.0.0.1", "PILOTHOUSE_THROWAWAY": "1"}
    site.start()
    try:
        with engines(folder, State(site.folder)) as running:
            found = Story(site, running, print)
            found.prepare()
            yield found
    finally:
        site.stop()
    assert left_in(folder) == []


def left_in(folder: Path) -> list[str]:
    return list(processes_of(folder).values())


def states(found: dict[str, Any]) -> dict[str, str]:
    return {name: one["state"] for name, one in found.items()}


def test_a_release_is_built_signed_rolled_out_and_watched_and_one_that_breaks_is_turned_off(story: Story) -> None:
    found = story.play(story.start("1.0.0", soak="5s"), show=lambda _: None)
    assert states(found) == dict.fromkeys([*RUNS, "everyone"], "succeeded") | {"off": "skipped"}

    builds = json.loads(story.builds())["builds"]
    assert [(one["results"], one["properties"]["version"][0]) for one in builds] == [(0, "1.0.0")]
    assert story.run(found["shop"])["outputs"]["image"] == "cart:1.0.0"
    wait_until(lambda: story.share() == "100", "applications are told that the flag is on for everybody")
    gate = story.run(found["watch"])
    progress = gate["attempts"][-1]["progress"]
    assert (gate["outputs"]["verdict"], progress["share"]) == ("held", 1.0)
    assert {value for _, value in points(progress)} == {1.0}
    assert story.run(found["quarter"])["outputs"]["percentage"] == "25"

    found = story.play(story.start("1.1.0", soak="5m"), breaks=True, show=lambda _: None)
    assert states(found) == dict.fromkeys([*RUNS, "off"], "succeeded") | {"watch": "failed", "everyone": "aborted"}
    attempt = story.run(found["watch"])["attempts"][-1]
    assert attempt["outputs"]["verdict"] == "broken"
    assert points(attempt["progress"])[-1][1:] == [9.0, "broken"]
    wait_until(lambda: story.share() == "off", "applications are told that the flag is off")


def points(progress: dict[str, Any]) -> list[list[Any]]:
    found: list[list[Any]] = progress["curve"]["points"]
    assert len(found) > 1
    return found
