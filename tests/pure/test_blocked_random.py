"""Random releases at random moments: everything that has not settled leads to something that is really under way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from releases import engine
from releases.models import Release
from releases.reading.asked import Asked
from releases.reading.chain import Chain, hanging
from releases.reading.earliest import Point, estimates
from releases.reading.links import Link
from releases.reading.situation import Row, Situation
from releases.states import SETTLED
from tests.pure.random_trees import Crowd, random_drawing
from tests.pure.simulator import Simulator

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RELEASES = 300
SHARES = 6
MOST_STEPS = 400

#: Links that only lead on to others.
LEADS_ON = {"dependency", "dependency_failed", "phase", "container", "parallel", "more"}
#: The state of what a link at the end of a chain is about.
ENDS = {
    "queued": "queued",
    "running": "running",
    "done": "waiting",
    "signal": "waiting",
    "wait": "waiting",
    "on_hold": "on_hold",
}


def situation_of(sim: Simulator) -> Situation:
    """Return what would be read of a release that stands as `sim` does; waits end in an hour, qa owns everything."""
    for node in sim.drawing.nodes:
        node["owners"] = ["group:qa"]
        if node["kind"] == "wait":
            node["spec"] = {"wait": 3600}
    rows = {
        key: Row(key, number, sim.drawing.path(key), f"{key}", sim.tree[key].kind, run.state, count=run.count)
        for number, (key, run) in enumerate(sim.runs.items())
    }
    known = {key: run.known for key, run in sim.runs.items()}
    return Situation(
        release=Release(pk=1, name="R", state=sim.state),
        now=NOW,
        tree=sim.tree,
        rows=rows,
        picture=engine.Picture(sim.tree, known, {}),
        asked={row.id: Asked() for row in rows.values() if row.kind == "manual"},
        untils={row.id: NOW + timedelta(hours=1) for row in rows.values() if row.state == "waiting"},
    )


def ends(links: Iterable[Link]) -> Iterator[Link]:
    for link in links:
        yield from ends(link.links)
        if link.kind not in LEADS_ON:
            yield link


def check(situation: Situation) -> None:
    """Look at every run that has not settled: why it waits, and when it may start."""
    known = estimates(situation)
    states = {(row.path, row.state) for row in situation.rows.values()}
    for row in situation.rows.values():
        links = Chain(situation, known, depth=50, most=100_000).of(row)
        if row.is_settled:
            assert not links, row.path
            continue
        causes = list(ends(links))
        assert causes, f"{row.path} waits for nothing"
        for link in causes:
            assert link.kind == "paused" or (link.path, ENDS[link.kind]) in states, f"{row.path}: {link}"
        assert ("paused" in {link.kind for link in causes}) <= situation.is_paused
        for end in (False, True):
            point = known[Point(row.key, end)]
            words = hanging(situation, point)
            assert (point.at is None) == bool(point.hangs_on) == bool(words), row.path
            assert point.at is None or point.at >= NOW
            assert not any(situation.rows[key].is_settled for key in point.hangs_on)


def play(seed: int) -> int:
    """Play a release, looking at it after every step; return at how many moments it was looked at."""
    rng = Random(seed)
    crowd = Crowd(rng, aborts=False, restarts=seed % 3 == 1, pauses=seed % 3 == 2, loses=False)
    sim = Simulator(random_drawing(rng, fail_fast=seed % 2 == 0), crowd.opening)
    sim.start()
    for step in range(MOST_STEPS):
        if sim.state in SETTLED:
            return step
        check(situation_of(sim))
        crowd.act(sim)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("share", range(SHARES))
def test_everything_idle_leads_to_something_under_way(share: int) -> None:
    looked = 0
    for seed in range(share, RELEASES, SHARES):
        try:
            looked += play(seed)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert looked > RELEASES
