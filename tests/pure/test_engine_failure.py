"""What a failure leads to: another try, a hold, an ignored or a final failure, and failing fast."""

from __future__ import annotations

import pytest

from releases.engine import LONGEST_DELAY, failure_state, retry_delay
from tests.pure.simulator import Simulator
from tests.pure.trees import automated, draw, for_each, manual, phase, subprocess


# Retries --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("retry", "delays"),
    [
        ({}, [None]),
        ({"attempts": 1}, [None]),
        ({"attempts": 3}, [0.0, 0.0, None]),
        ({"attempts": 3, "delay": 5.0}, [5.0, 5.0, None]),
        ({"attempts": 4, "delay": 1.0, "factor": 2.0}, [1.0, 2.0, 4.0, None]),
        ({"attempts": 6, "delay": 1.0, "factor": 2.0, "ceiling": 5.0}, [1.0, 2.0, 4.0, 5.0, 5.0, None]),
        ({"attempts": 3, "delay": 10.0, "factor": 1.0, "ceiling": 3.0}, [3.0, 3.0, None]),
        ({"attempts": 3, "delay": 8.0, "factor": 0.5, "ceiling": None}, [8.0, 4.0, None]),
        ({"attempts": 3, "delay": 2.0, "factor": 2.0, "ceiling": 0.0}, [0.0, 0.0, None]),
    ],
)
def test_the_delay_before_each_further_try(retry: dict[str, float | int | None], delays: list[float | None]) -> None:
    assert [retry_delay(retry, tries) for tries in range(1, len(delays) + 1)] == delays


@pytest.mark.parametrize(("ceiling", "longest"), [(60.0, 60.0), (None, LONGEST_DELAY)])
@pytest.mark.parametrize("tries", [20, 4000])
def test_a_growing_delay_ends_somewhere(ceiling: float | None, longest: float, tries: int) -> None:
    retry = {"attempts": 5000, "delay": 1.0, "factor": 10.0, "ceiling": ceiling}
    assert retry_delay(retry, tries) == longest


def test_an_attempt_that_fails_is_tried_again_as_often_as_the_policy_says() -> None:
    # compile (3 attempts)
    sim = Simulator(draw(phase("p", automated("compile", attempts=3)))).start()
    for _ in range(2):
        sim.claim("p/compile")
        sim.fail("p/compile")
        assert sim["p/compile"] == "queued"
    sim.claim("p/compile")
    sim.fail("p/compile")
    assert sim["p/compile"] == "on_hold"


def test_a_person_s_retry_brings_the_policy_s_tries_back() -> None:
    # compile (2 attempts)
    sim = Simulator(draw(phase("p", automated("compile", attempts=2)))).start()
    sim.fail("p/compile")
    sim.fail("p/compile")
    assert sim["p/compile"] == "on_hold"
    sim.retry("p/compile")
    sim.fail("p/compile")
    assert sim["p/compile"] == "queued"
    sim.succeed("p/compile")
    assert sim[""] == "succeeded"


# Hold, ignore, fail ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("policy", "state"), [("hold", "on_hold"), ("ignore", "ignored"), ("fail", "failed")])
def test_the_policy_decides_when_no_try_is_left(policy: str, state: str) -> None:
    assert failure_state(policy) == state


def test_a_hold_keeps_dependents_waiting_and_the_release_running() -> None:
    # compile (on hold) ─ test
    sim = Simulator(draw(phase("p", automated("compile"), automated("test", needs="compile")))).start()
    sim.fail("p/compile")
    assert sim.states("p/compile", "p/test", "p", "") == ["on_hold", "pending", "running", "running"]


def test_ignoring_a_hold_lets_dependents_go_on_and_the_release_ends_partially_succeeded() -> None:
    # compile (on hold, ignored) ─ test
    sim = Simulator(draw(phase("p", automated("compile"), automated("test", needs="compile")))).start()
    sim.fail("p/compile")
    sim.ignore("p/compile")
    assert sim["p/test"] == "queued"
    sim.succeed("p/test")
    assert sim.states("p", "") == ["partially_succeeded", "partially_succeeded"]


def test_retrying_a_hold_leaves_no_trace_in_the_end() -> None:
    # compile (on hold, retried) ─ test
    sim = Simulator(draw(phase("p", automated("compile"), automated("test", needs="compile")))).start()
    sim.fail("p/compile")
    sim.retry("p/compile")
    sim.succeed("p/compile", "p/test")
    assert sim.states("p", "") == ["succeeded", "succeeded"]


def test_giving_a_hold_up_fails_for_good() -> None:
    # compile (on hold, given up) ─ test
    sim = Simulator(draw(phase("p", automated("compile"), automated("test", needs="compile")))).start()
    sim.fail("p/compile")
    sim.give_up("p/compile")
    assert sim.states("p/compile", "p/test", "") == ["failed", "aborted", "failed"]


def test_a_partially_succeeded_phase_is_done_for_the_next() -> None:
    # [build: lint (ignored)] ─ [deploy]
    sim = Simulator(
        draw(phase("build", automated("lint", on_failure="ignore")), phase("deploy", automated("ship"), needs="build"))
    ).start()
    sim.fail("build/lint")
    assert sim.states("build", "deploy") == ["partially_succeeded", "running"]


def test_an_optional_failure_makes_the_release_partially_succeeded() -> None:
    # lint (optional, fails)   compile
    sim = Simulator(
        draw(phase("p", automated("lint", required=False, on_failure="fail"), automated("compile")))
    ).start()
    sim.fail("p/lint")
    sim.succeed("p/compile")
    assert sim.states("p", "") == ["partially_succeeded", "partially_succeeded"]


def test_ignoring_something_optional_costs_nothing() -> None:
    # [p: lint (optional, fails, ignored)]
    sim = Simulator(draw(phase("p", automated("lint", required=False, on_failure="ignore")))).start()
    sim.fail("p/lint")
    assert sim[""] == "succeeded"


# Failing fast ---------------------------------------------------------------------------------------------------------
def test_failing_fast_starts_nothing_new_but_lets_what_runs_finish() -> None:
    # fail_fast
    # [build: cart (fails), payments ─ pack]    [docs: write ─ print] ─ [mail]
    sim = Simulator(
        draw(
            phase(
                "build",
                automated("cart", on_failure="fail"),
                automated("payments"),
                automated("pack", needs="payments"),
            ),
            phase("docs", automated("write"), automated("print", needs="write")),
            phase("mail", automated("send"), needs="docs"),
            fail_fast=True,
        )
    ).start()
    sim.fail("build/cart")
    assert sim.states("build/pack", "docs/print", "mail", "mail/send") == ["aborted"] * 4
    assert sim.states("build/payments", "docs/write", "") == ["queued", "queued", "running"]
    sim.succeed("build/payments", "docs/write")
    assert sim.states("build", "docs", "") == ["failed", "aborted", "failed"]


def test_failing_fast_still_cleans_up() -> None:
    # fail_fast
    # [deploy: ship (fails) ─ check] ─(settled)─ [wrap-up: clean ─ report]
    sim = Simulator(
        draw(
            phase("deploy", automated("ship", on_failure="fail"), automated("check", needs="ship")),
            phase(
                "wrap-up", automated("clean"), automated("report", needs="clean"), needs="deploy", after_settled=True
            ),
            fail_fast=True,
        )
    ).start()
    sim.fail("deploy/ship")
    assert sim.states("deploy/check", "wrap-up", "wrap-up/clean") == ["aborted", "running", "queued"]
    sim.succeed("wrap-up/clean")
    assert sim["wrap-up/report"] == "queued", "all of the clean-up runs, not just its beginning"
    sim.succeed("wrap-up/report")
    assert sim.states("wrap-up", "") == ["succeeded", "failed"]


def test_a_hold_does_not_fail_fast_until_it_is_given_up() -> None:
    # fail_fast
    # one (on hold)   two ─ three ─ four
    sim = Simulator(
        draw(
            phase(
                "p",
                automated("one"),
                automated("two"),
                automated("three", needs="two"),
                automated("four", needs="three"),
            ),
            fail_fast=True,
        )
    ).start()
    sim.fail("p/one")
    sim.succeed("p/two")
    assert sim["p/three"] == "queued"
    sim.give_up("p/one")
    assert sim.states("p/three", "p/four") == ["queued", "aborted"]


def test_an_optional_failure_does_not_fail_fast() -> None:
    # fail_fast
    # lint (optional, fails)   compile ─ test
    sim = Simulator(
        draw(
            phase(
                "p",
                automated("lint", required=False, on_failure="fail"),
                automated("compile"),
                automated("test", needs="compile"),
            ),
            fail_fast=True,
        )
    ).start()
    sim.fail("p/lint")
    sim.succeed("p/compile", "p/test")
    assert sim[""] == "partially_succeeded"


@pytest.mark.parametrize(
    ("required", "on_failure", "stopped"),
    [(True, "fail", True), (True, "hold", False), (True, "ignore", False), (False, "fail", False)],
)
def test_a_failure_inside_a_subprocess_stops_the_outside_only_if_it_must_fail_with_it(
    required: bool, on_failure: str, stopped: bool
) -> None:
    # fail_fast
    # review { [scan: look (fails), wait] }    compile ─ test
    sim = Simulator(
        draw(
            phase(
                "p",
                subprocess(
                    "review",
                    phase("scan", automated("look", on_failure="fail"), manual("wait")),
                    required=required,
                    on_failure=on_failure,
                ),
                automated("compile"),
                automated("test", needs="compile"),
            ),
            fail_fast=True,
        )
    ).start()
    sim.fail("p/review/scan/look")
    assert sim["p/test"] == ("aborted" if stopped else "pending")


def test_a_subprocess_that_fails_fast_stops_itself_and_not_its_surroundings() -> None:
    # review (fail_fast) { [scan: look (fails)   read ─ note] ─ [verdict] }     compile ─ test
    sim = Simulator(
        draw(
            phase(
                "p",
                subprocess(
                    "review",
                    phase(
                        "scan",
                        automated("look", on_failure="fail"),
                        automated("read"),
                        automated("note", needs="read"),
                    ),
                    phase("verdict", manual("sign"), needs="scan"),
                    fail_fast=True,
                ),
                automated("compile"),
                automated("test", needs="compile"),
            )
        )
    ).start()
    sim.fail("p/review/scan/look")
    assert sim.states("p/review/scan/note", "p/review/verdict", "p/review") == ["aborted", "aborted", "running"]
    sim.succeed("p/compile", "p/test", "p/review/scan/read")
    assert sim.states("p/review", "p") == ["failed", "failed"]


def test_clean_up_that_fails_fast_stops_itself() -> None:
    # fail_fast
    # deploy (fails) ─(settled)─ undo (fail_fast) { [back: one (fails)   two ─ three] }
    sim = Simulator(
        draw(
            phase(
                "p",
                automated("deploy", on_failure="fail"),
                subprocess(
                    "undo",
                    phase(
                        "back", automated("one", on_failure="fail"), automated("two"), automated("three", needs="two")
                    ),
                    needs="deploy",
                    after_settled=True,
                    fail_fast=True,
                ),
            ),
            fail_fast=True,
        )
    ).start()
    sim.fail("p/deploy")
    assert sim["p/undo/back/one"] == "queued"
    sim.fail("p/undo/back/one")
    assert sim["p/undo/back/three"] == "aborted"


def test_failing_fast_lets_no_further_item_start() -> None:
    # fail_fast
    # each x 3, one at a time    compile (fails)
    sim = Simulator(
        draw(
            phase("p", for_each(automated("each"), 3, parallel=1), automated("compile", on_failure="fail")),
            fail_fast=True,
        )
    ).start()
    sim.fail("p/compile")
    assert sim.states("p/each[0]", "p/each[1]", "p/each[2]") == ["queued", "aborted", "aborted"]
    sim.succeed("p/each[0]")
    assert sim.states("p/each", "p", "") == ["aborted", "failed", "failed"]
