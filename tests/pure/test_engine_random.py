"""Thousands of random releases, each with a random fate: none sticks, none leaves the table, every end is right.

What happens in a release hangs on its seed alone, and its manner on the remainder by six: one in six is aborted at
some time, two are restarted, two are paused and resumed, and in one the engine is not asked after every change.
"""

from __future__ import annotations

from random import Random

import pytest

from releases.states import SETTLED
from releases.tree import Key
from tests.pure.oracle import Oracle
from tests.pure.random_trees import Crowd, random_drawing
from tests.pure.simulator import Simulator

RELEASES = 2400
SHARES = 12
MOST_STEPS = 2000


class Play:
    """One random release, played from its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        manner = seed % 6
        self.crowd = Crowd(
            self.rng, aborts=manner == 1, restarts=manner in (2, 5), pauses=manner in (3, 5), loses=manner == 4
        )
        drawing = random_drawing(self.rng, fail_fast=not self.crowd.loses and self.rng.random() < 0.4)
        self.sim = Simulator(drawing, self.crowd.opening)
        self.oracle = Oracle(self.sim)
        self.sim.before_opening = self.check_opening

    def check_opening(self, keys: list[Key]) -> None:
        for key in keys:
            objection = self.oracle.objection(key, keys)
            assert not objection, f"{self.sim.drawing.path(key)} opens, but {objection}"

    def to_the_end(self) -> None:
        """Play until the release has settled, looking closely every few steps."""
        self.sim.start()
        for _ in range(MOST_STEPS):
            if self.sim.state in SETTLED:
                return
            self.crowd.act(self.sim)
            self.sim.delivers = True
            if self.crowd.loses and (self.rng.random() < 0.3 or not self.sim.active()):
                self.sim.advance(list(self.sim.runs))
            if not self.crowd.loses and self.rng.random() < 0.2:
                assert not self.sim.plan_everything(), "planning everything finds what was missed"
            assert self.sim.active() or self.sim.state != "running", "nothing is under way, yet it has not settled"
        raise AssertionError("it never ends")


@pytest.mark.parametrize("share", range(SHARES))
def test_random_releases_end_right(share: int) -> None:
    for seed in range(share, RELEASES, SHARES):
        play = Play(seed)
        try:
            play.to_the_end()
            check_end(play)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def check_end(play: Play) -> None:
    sim = play.sim
    sim.advance(list(sim.runs) if play.crowd.loses else [])
    unsettled = [sim.drawing.path(key) for key, run in sim.runs.items() if run.state not in SETTLED]
    assert not unsettled, f"settled, but not {unsettled}"
    assert not sim.plan_everything(), "a settled release still moves"
    if sim.state != "aborted":
        complaints = play.oracle.complaints()
        assert not complaints, "; ".join(complaints)
