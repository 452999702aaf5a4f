"""What a decision costs: how many runs it reads. A release of a thousand activities must not pay more for each of them.

Bounded: an activity's end reads its dependents, what those need, and what holds it; of its siblings just the tally.
Linear in the width, but once: a phase reads its activities as it opens and as it ends.
Linear each time: what needs a thousand activities is looked at, with all of these, as each of them ends; and an item
of a `for_each` with `parallel` looks at all items to find out how many are under way.
"""

from __future__ import annotations

import pytest

from releases.tree import Key
from tests.pure.simulator import Simulator
from tests.pure.trees import Drawing, Part, automated, draw, for_each, phase


def cost_of_success(sim: Simulator, path: str) -> tuple[int, int]:
    """Return how many runs and tallies were read for everything that followed from a success."""
    sim.asked.clear()
    sim.succeed(path)
    assert not any(asked.families for asked in sim.asked)
    return sum(len(asked.runs) for asked in sim.asked), sum(len(asked.tallies) for asked in sim.asked)


def chain(length: int) -> Drawing:
    # a0 ─ a1 ─ … ─ a<length>
    return draw(phase("p", *(automated(f"a{n}", needs=f"a{n - 1}" if n else "") for n in range(length))))


@pytest.mark.parametrize("length", [10, 100, 1000])
def test_a_success_in_a_chain_costs_the_same_however_long_it_is(length: int) -> None:
    sim = Simulator(chain(length)).start()
    sim.succeed("p/a0")
    assert cost_of_success(sim, "p/a1") == (3, 1), "the next, its need, and the phase"
    assert sim["p/a2"] == "queued"


@pytest.mark.parametrize("width", [10, 100, 1000])
def test_an_activity_does_not_read_its_siblings_as_it_ends(width: int) -> None:
    sim = Simulator(draw(phase("p", *(automated(f"a{n}") for n in range(width))))).start()
    assert cost_of_success(sim, "p/a1") == (1, 1)


@pytest.mark.parametrize("length", [10, 100])
def test_a_success_in_a_chain_of_phases_costs_the_same_however_long_it_is(length: int) -> None:
    # [p0: work] ─ [p1: work] ─ …
    phases = [phase(f"p{n}", automated("work"), needs=f"p{n - 1}" if n else "") for n in range(length)]
    sim = Simulator(draw(*phases)).start()
    sim.succeed("p0/work")
    runs, tallies = cost_of_success(sim, "p1/work")
    assert sim["p2/work"] == "queued"
    assert runs <= 8
    assert tallies <= 4


def test_a_failure_reads_no_more_than_a_success() -> None:
    sim = Simulator(chain(1000)).start()
    sim.asked.clear()
    sim.fail("p/a0")
    assert sim["p/a0"] == "on_hold"
    assert sum(len(asked.runs) for asked in sim.asked) == 0, "nothing follows from a hold"


@pytest.mark.parametrize("width", [10, 100])
def test_a_phase_reads_its_activities_once_as_it_opens_and_once_as_it_ends(width: int) -> None:
    phases = [
        phase("first", automated("work")),
        phase("wide", *(automated(f"a{n}") for n in range(width)), needs="first"),
    ]
    sim = Simulator(draw(*phases)).start()
    opening, _ = cost_of_success(sim, "first/work")
    assert width <= opening <= width + 8
    for n in range(width - 1):
        assert cost_of_success(sim, f"wide/a{n}") == (1, 1)
    ending, _ = cost_of_success(sim, f"wide/a{width - 1}")
    assert width <= ending <= width + 8


@pytest.mark.parametrize("width", [10, 100])
def test_what_needs_many_is_looked_at_with_all_it_needs_as_each_of_them_ends(width: int) -> None:
    # a0 ───┐
    # …     ├─ gate
    # a<n> ─┘
    names = [f"a{n}" for n in range(width)]
    gate: Part = automated("gate", needs=" ".join(names))
    sim = Simulator(draw(phase("p", *map(automated, names), gate))).start()
    assert cost_of_success(sim, "p/a1") == (width + 2, 1)


def test_an_item_s_end_reads_all_items_only_where_parallel_limits_them() -> None:
    free = Simulator(draw(phase("p", for_each(automated("each"), 100)))).start()
    assert cost_of_success(free, "p/each[1]") == (1, 1)
    limited = Simulator(draw(phase("p", for_each(automated("each"), 100, parallel=2)))).start()
    limited.asked.clear()
    limited.succeed("p/each[1]")
    assert {key for asked in limited.asked for key in asked.families} == {limited.drawing.key("p/each")}


def test_a_required_failure_reads_the_whole_of_a_process_that_fails_fast_and_no_other() -> None:
    for fail_fast, families in [(True, {Key(0)}), (False, set())]:
        sim = Simulator(
            draw(phase("p", automated("a", on_failure="fail"), automated("b")), fail_fast=fail_fast)
        ).start()
        sim.asked.clear()
        sim.fail("p/a")
        assert {key for asked in sim.asked for key in asked.families} == families
