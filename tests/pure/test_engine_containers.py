"""Activities that hold others: subprocesses and `for_each`."""

from __future__ import annotations

import pytest

from tests.pure.simulator import Opening, Simulator
from tests.pure.trees import Drawing, automated, draw, for_each, manual, phase, subprocess


# Subprocesses ---------------------------------------------------------------------------------------------------------
def review(**options: object) -> Drawing:
    # p: review { [scan: look] ─ [verdict: accept] } ─ ship
    return draw(
        phase(
            "p",
            subprocess(
                "review",
                phase("scan", automated("look")),
                phase("verdict", manual("accept"), needs="scan"),
                **options,
            ),
            automated("ship", needs="review"),
        )
    )


def test_a_subprocess_runs_its_phases_and_succeeds_when_they_have() -> None:
    sim = Simulator(review()).start()
    assert sim.states("p/review", "p/review/scan", "p/review/verdict") == ["running", "running", "pending"]
    sim.succeed("p/review/scan/look")
    assert sim["p/review/verdict/accept"] == "waiting"
    sim.succeed("p/review/verdict/accept")
    assert sim.states("p/review", "p/ship") == ["succeeded", "queued"]


def test_a_subprocess_whose_inside_failed_fails() -> None:
    sim = Simulator(review()).start()
    sim.fail("p/review/scan/look")
    sim.give_up("p/review/scan/look")
    assert sim.states("p/review/verdict", "p/review", "p/ship", "") == ["aborted", "failed", "aborted", "failed"]


def test_a_subprocess_may_hold_instead_and_be_retried_from_its_beginning() -> None:
    sim = Simulator(review(on_failure="hold")).start()
    sim.succeed("p/review/scan/look")
    sim.fail("p/review/verdict/accept")
    sim.give_up("p/review/verdict/accept")
    assert sim.states("p/review", "p/ship", "") == ["on_hold", "pending", "running"]
    assert sim.retry("p/review")
    assert sim.states("p/review", "p/review/scan/look", "p/review/verdict") == ["running", "queued", "pending"]
    sim.succeed("p/review/scan/look", "p/review/verdict/accept", "p/ship")
    assert sim[""] == "succeeded"


def test_a_subprocess_whose_failure_is_ignored_is_a_hole_in_the_release() -> None:
    sim = Simulator(review(on_failure="ignore")).start()
    sim.fail("p/review/scan/look")
    sim.give_up("p/review/scan/look")
    assert sim.states("p/review", "p/ship") == ["ignored", "queued"]
    sim.succeed("p/ship")
    assert sim[""] == "partially_succeeded"


def test_a_hole_inside_a_subprocess_is_a_hole_in_the_release() -> None:
    sim = Simulator(review()).start()
    sim.fail("p/review/scan/look")
    sim.ignore("p/review/scan/look")
    sim.succeed("p/review/verdict/accept", "p/ship")
    assert sim.states("p/review/scan", "p/review", "p") == ["partially_succeeded", "succeeded", "partially_succeeded"]
    assert sim[""] == "partially_succeeded"


def test_an_ignored_subprocess_that_could_not_open_leaves_nothing_behind() -> None:
    # review (unreadable, on hold, ignored)
    drawing = review(on_failure="hold")
    sim = Simulator(drawing, lambda key: Opening(fails=key == drawing.key("p/review"))).start()
    assert sim.states("p/review", "p/review/scan") == ["on_hold", "pending"]
    sim.ignore("p/review")
    assert sim.states("p/review/scan", "p/review/scan/look", "p/ship") == ["aborted", "aborted", "queued"]


def test_subprocesses_nest() -> None:
    # p: outer { [a: inner { [b: work] } ─ after] }
    sim = Simulator(
        draw(
            phase(
                "p",
                subprocess(
                    "outer",
                    phase("a", subprocess("inner", phase("b", automated("work"))), automated("after", needs="inner")),
                ),
            )
        )
    ).start()
    assert sim["p/outer/a/inner/b/work"] == "queued"
    sim.succeed("p/outer/a/inner/b/work")
    assert sim.states("p/outer/a/inner", "p/outer/a/after") == ["succeeded", "queued"]
    sim.succeed("p/outer/a/after")
    assert sim.states("p/outer", "") == ["succeeded", "succeeded"]


# For each -------------------------------------------------------------------------------------------------------------
def test_for_each_does_all_items_at_once() -> None:
    # each x 3 ─ after
    sim = Simulator(draw(phase("p", for_each(automated("each"), 3), automated("after", needs="each")))).start()
    assert sim.states("p/each", "p/each[0]", "p/each[1]", "p/each[2]") == ["running", "queued", "queued", "queued"]
    sim.succeed("p/each[2]", "p/each[0]")
    assert sim["p/after"] == "pending"
    sim.succeed("p/each[1]")
    assert sim.states("p/each", "p/after") == ["succeeded", "queued"]


def test_parallel_limits_how_many_items_are_done_at_once() -> None:
    # each x 4, two at a time
    sim = Simulator(draw(phase("p", for_each(automated("each"), 4, parallel=2)))).start()
    items = [f"p/each[{index}]" for index in range(4)]
    assert sim.states(*items) == ["queued", "queued", "pending", "pending"]
    sim.succeed("p/each[1]")
    assert sim.states(*items) == ["queued", "succeeded", "queued", "pending"]
    sim.succeed("p/each[0]", "p/each[2]")
    assert sim.states(*items) == ["succeeded", "succeeded", "succeeded", "queued"]


def test_an_item_on_hold_keeps_its_place() -> None:
    # each x 2, one at a time
    sim = Simulator(draw(phase("p", for_each(automated("each"), 2, parallel=1)))).start()
    sim.fail("p/each[0]")
    assert sim.states("p/each[0]", "p/each[1]") == ["on_hold", "pending"]
    sim.ignore("p/each[0]")
    assert sim["p/each[1]"] == "queued"


def test_a_skipped_item_gives_its_place_to_the_next() -> None:
    # each x 3, one at a time; the first two are skipped
    drawing = draw(phase("p", for_each(automated("each"), 3, parallel=1)))
    skipped = {drawing.key("p/each[0]"), drawing.key("p/each[1]")}
    sim = Simulator(drawing, lambda key: Opening(when=key not in skipped)).start()
    assert sim.states("p/each[0]", "p/each[1]", "p/each[2]") == ["skipped", "skipped", "queued"]


def test_no_limit_may_be_written_as_none_at_all() -> None:
    # each x 2, parallel: 0 (refused in documents; an old snapshot must not wait for ever)
    sim = Simulator(draw(phase("p", for_each(automated("each"), 2, parallel=0)))).start()
    assert sim.states("p/each[0]", "p/each[1]") == ["queued", "queued"]


def test_for_each_over_nothing_succeeds() -> None:
    # each x 0 ─ after
    sim = Simulator(draw(phase("p", for_each(automated("each"), 0), automated("after", needs="each")))).start()
    assert sim.states("p/each", "p/after") == ["succeeded", "queued"]


def test_the_other_items_go_on_when_one_fails_and_the_whole_fails_in_the_end() -> None:
    # each x 3, one at a time; the first fails
    sim = Simulator(draw(phase("p", for_each(automated("each", on_failure="fail"), 3, parallel=1)))).start()
    sim.fail("p/each[0]")
    assert sim.states("p/each[0]", "p/each[1]", "p/each") == ["failed", "queued", "running"]
    sim.succeed("p/each[1]", "p/each[2]")
    assert sim.states("p/each", "p") == ["failed", "failed"]


@pytest.mark.parametrize(
    ("required", "on_failure", "ends"),
    [(True, "fail", "failed"), (False, "fail", "partially_succeeded"), (True, "ignore", "partially_succeeded")],
)
def test_what_a_failed_item_means_for_the_release(required: bool, on_failure: str, ends: str) -> None:
    # each x 2
    each = for_each(automated("each", on_failure="fail"), 2, required=required, on_failure=on_failure)
    sim = Simulator(draw(phase("p", each))).start()
    sim.fail("p/each[0]")
    sim.succeed("p/each[1]")
    assert sim[""] == ends


def test_an_ignored_item_is_a_hole() -> None:
    # each x 2
    sim = Simulator(draw(phase("p", for_each(automated("each", on_failure="ignore"), 2)))).start()
    sim.fail("p/each[0]")
    sim.succeed("p/each[1]")
    assert sim.states("p/each", "p") == ["succeeded", "partially_succeeded"]


def test_a_subprocess_for_each_item_runs_on_its_own() -> None:
    # wave { [deploy: ship] ─ [check: look] } x 2
    wave = subprocess("wave", phase("deploy", automated("ship")), phase("check", manual("look"), needs="deploy"))
    sim = Simulator(draw(phase("p", for_each(wave, 2)))).start()
    sim.succeed("p/wave[0]/deploy/ship")
    assert sim.states("p/wave[0]/check/look", "p/wave[1]/check/look") == ["waiting", "pending"]
    sim.succeed("p/wave[0]/check/look")
    assert sim.states("p/wave[0]", "p/wave[1]", "p/wave") == ["succeeded", "running", "running"]
    sim.succeed("p/wave[1]/deploy/ship", "p/wave[1]/check/look")
    assert sim.states("p/wave", "") == ["succeeded", "succeeded"]


def test_for_each_within_for_each() -> None:
    # region { [deploy: node x 2] } x 2, one region at a time
    region = subprocess("region", phase("deploy", for_each(automated("node"), 2)))
    sim = Simulator(draw(phase("p", for_each(region, 2, parallel=1)))).start()
    assert sim.states("p/region[0]/deploy/node[0]", "p/region[0]/deploy/node[1]") == ["queued", "queued"]
    assert sim["p/region[1]"] == "pending"
    sim.succeed("p/region[0]/deploy/node[0]", "p/region[0]/deploy/node[1]")
    assert sim.states("p/region[0]", "p/region[1]/deploy/node[0]") == ["succeeded", "queued"]
    sim.succeed("p/region[1]/deploy/node[0]", "p/region[1]/deploy/node[1]")
    assert sim[""] == "succeeded"


def test_a_list_that_has_changed_by_the_time_of_a_retry() -> None:
    # wave { [deploy: ship] } x 2, then x 0, then x 3
    wave = subprocess("wave", phase("deploy", automated("ship", on_failure="fail")))
    drawing = draw(phase("p", for_each(wave, 2, on_failure="hold"), automated("keep")))
    counts = iter([2, 0, 3])
    sim = Simulator(drawing, lambda k: Opening(items=next(counts) if k == drawing.key("p/wave") else None)).start()
    sim.fail("p/wave[0]/deploy/ship")
    sim.succeed("p/wave[1]/deploy/ship")
    sim.retry("p/wave")
    assert sim["p/wave"] == "succeeded"
    assert sim.states("p/wave[0]", "p/wave[0]/deploy", "p/wave[1]/deploy/ship") == ["skipped"] * 3
    assert sim.restart("p") == []
    ships = [f"p/wave[{index}]/deploy/ship" for index in range(3)]
    assert sim.states(*ships) == ["queued"] * 3, "items that had become surplus run again"
    sim.succeed(*ships, "p/keep")
    assert sim[""] == "succeeded"
