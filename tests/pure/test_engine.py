"""What opens when: needs, conditions, and what becomes of runs that never get what they need."""

from __future__ import annotations

import pytest

from releases.engine import grade
from tests.pure.simulator import Opening, Simulator
from tests.pure.trees import Drawing, automated, draw, manual, phase, subprocess


def begin(drawing: Drawing, **openings: Opening) -> Simulator:
    """Start a release; `openings` are told by path, with "__" for "/"."""
    by_key = {drawing.key(path.replace("__", "/")): opening for path, opening in openings.items()}
    return Simulator(drawing, lambda key: by_key.get(key, Opening())).start()


NOT_TRUE = Opening(when=False)
UNREADABLE = Opening(fails=True)


# Needs ----------------------------------------------------------------------------------------------------------------
def test_an_activity_opens_when_what_it_needs_has_succeeded() -> None:
    # build: compile ── test
    sim = begin(draw(phase("build", automated("compile"), automated("test", needs="compile"))))
    assert sim.states("build", "build/compile", "build/test") == ["running", "queued", "pending"]
    sim.succeed("build/compile")
    assert sim["build/test"] == "queued"
    sim.succeed("build/test")
    assert sim.states("build", "") == ["succeeded", "succeeded"]


def test_activities_without_needs_open_together() -> None:
    # build: cart   payments
    sim = begin(draw(phase("build", automated("cart"), manual("payments"))))
    assert sim.states("build/cart", "build/payments") == ["queued", "waiting"]


def test_an_activity_needs_all_of_what_it_names() -> None:
    # build: cart ─────┐
    #        payments ─┴─ test
    sim = begin(
        draw(phase("build", automated("cart"), automated("payments"), automated("test", needs="cart payments")))
    )
    sim.succeed("build/cart")
    assert sim["build/test"] == "pending"
    sim.succeed("build/payments")
    assert sim["build/test"] == "queued"


def test_a_phase_opens_when_the_phases_it_needs_are_done() -> None:
    # [plan] ─┬─ [build] ─┬─ [deploy]
    #         └─ [notes] ─┘
    phases = [phase(name, automated("work"), needs=needs) for name, needs in
              [("plan", ""), ("build", "plan"), ("notes", "plan"), ("deploy", "build notes")]]  # fmt: skip
    sim = begin(draw(*phases))
    assert sim.states("plan", "build", "notes") == ["running", "pending", "pending"]
    sim.succeed("plan/work")
    assert sim.states("build", "notes", "deploy") == ["running", "running", "pending"]
    sim.succeed("build/work", "notes/work")
    assert sim.states("deploy", "deploy/work") == ["running", "queued"]


def test_an_activity_may_need_one_of_another_phase() -> None:
    # [build: compile ─ pack]
    #            └───────────── [docs: write]
    sim = begin(
        draw(
            phase("build", automated("compile"), automated("pack", needs="compile")),
            phase("docs", automated("write", needs="build.compile")),
        )
    )
    assert sim.states("docs", "docs/write") == ["running", "pending"]
    sim.succeed("build/compile")
    assert sim["docs/write"] == "queued"


def test_its_phase_must_be_open_too() -> None:
    # [build: compile] ─ [docs: write], and write ─ compile
    sim = begin(
        draw(
            phase("build", automated("compile"), automated("pack")),
            phase("docs", automated("write", needs="build.compile"), needs="build"),
        )
    )
    sim.succeed("build/compile")
    assert sim.states("docs", "docs/write") == ["pending", "pending"]
    sim.succeed("build/pack")
    assert sim.states("docs", "docs/write") == ["running", "queued"]


def test_needs_any_is_content_with_one() -> None:
    # blue ──┐
    # green ─┴(any)─ switch
    sim = begin(
        draw(phase("p", automated("blue"), automated("green"), automated("switch", needs="blue green", any=True)))
    )
    sim.succeed("p/green")
    assert sim["p/switch"] == "queued"
    sim.succeed("p/blue")
    assert sim["p/switch"] == "queued", "it opens once"


def test_needs_any_survives_a_failure_as_long_as_one_may_still_come() -> None:
    # blue (fails) ─┐
    # green ────────┴(any)─ switch
    sim = begin(
        draw(
            phase(
                "p",
                automated("blue", on_failure="fail"),
                automated("green", on_failure="fail"),
                automated("switch", needs="blue green", any=True),
            )
        )
    )
    sim.fail("p/blue")
    assert sim["p/switch"] == "pending"
    sim.fail("p/green")
    assert sim["p/switch"] == "aborted"


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_after_settled_runs_whatever_the_outcome(end: str) -> None:
    # deploy ─(settled)─ clean-up
    sim = begin(
        draw(phase("p", automated("deploy", on_failure="fail"), automated("clean", needs="deploy", after_settled=True)))
    )
    assert sim["p/clean"] == "pending"
    getattr(sim, end)("p/deploy")
    assert sim["p/clean"] == "queued"


def test_after_settled_does_not_follow_a_hold() -> None:
    # deploy (on hold) ─(settled)─ clean-up
    sim = begin(draw(phase("p", automated("deploy"), automated("clean", needs="deploy", after_settled=True))))
    sim.fail("p/deploy")
    assert sim.states("p/deploy", "p/clean") == ["on_hold", "pending"]
    sim.give_up("p/deploy")
    assert sim["p/clean"] == "queued"


def test_after_settled_runs_even_when_what_it_needs_never_ran() -> None:
    # [build (fails)] ─ [deploy] ─(settled)─ [wrap-up]
    sim = begin(
        draw(
            phase("build", automated("compile", on_failure="fail")),
            phase("deploy", automated("ship"), needs="build"),
            phase("wrap-up", automated("clean"), needs="deploy", after_settled=True),
        )
    )
    sim.fail("build/compile")
    assert sim.states("build", "deploy", "deploy/ship", "wrap-up") == ["failed", "aborted", "aborted", "running"]
    sim.succeed("wrap-up/clean")
    assert sim[""] == "failed"


# Conditions -----------------------------------------------------------------------------------------------------------
def test_a_false_condition_skips_an_activity_and_its_dependents_go_on() -> None:
    # announce (when: false) ─ build
    sim = begin(draw(phase("p", automated("announce"), automated("build", needs="announce"))), p__announce=NOT_TRUE)
    assert sim.states("p/announce", "p/build") == ["skipped", "queued"]
    sim.succeed("p/build")
    assert sim.states("p", "") == ["succeeded", "succeeded"]


def test_a_skipped_phase_skips_all_it_holds() -> None:
    # [review (when: false): scan { [look: read] }] ─ [deploy]
    sim = begin(
        draw(
            phase("review", subprocess("scan", phase("look", automated("read"))), automated("sum-up", needs="scan")),
            phase("deploy", automated("ship"), needs="review"),
        ),
        review=NOT_TRUE,
    )
    inside = ["review", "review/scan", "review/scan/look", "review/scan/look/read", "review/sum-up"]
    assert sim.states(*inside) == ["skipped"] * 5
    assert sim["deploy/ship"] == "queued"


def test_a_condition_waits_for_the_needs() -> None:
    # build ─ announce (when: false)
    sim = begin(draw(phase("p", automated("build"), automated("announce", needs="build"))), p__announce=NOT_TRUE)
    assert sim["p/announce"] == "pending"
    sim.succeed("p/build")
    assert sim.states("p/announce", "p", "") == ["skipped", "succeeded", "succeeded"]


def test_a_release_of_skipped_phases_succeeds() -> None:
    # [plan (when: false)]
    assert begin(draw(phase("plan", automated("work"))), plan=NOT_TRUE)[""] == "succeeded"


def test_a_phase_that_cannot_be_read_fails_and_nothing_in_it_runs() -> None:
    # [build (unreadable): compile, scan { [look: read] }]
    sim = begin(
        draw(phase("build", automated("compile"), subprocess("scan", phase("look", automated("read"))))),
        build=UNREADABLE,
    )
    assert sim.states("build", "build/compile", "") == ["failed", "aborted", "failed"]
    assert sim["build/scan/look/read"] == "aborted", "also what lies deeper, though the release has settled meanwhile"


def test_an_empty_phase_succeeds() -> None:
    # [marker] ─ [build]
    sim = begin(draw(phase("marker"), phase("build", automated("compile"), needs="marker")))
    assert sim.states("marker", "build") == ["succeeded", "running"]


# What never runs ------------------------------------------------------------------------------------------------------
def test_nothing_downstream_of_a_failure_starts() -> None:
    # compile (fails) ─ test ─ report
    sim = begin(
        draw(
            phase(
                "p",
                automated("compile", on_failure="fail"),
                automated("test", needs="compile"),
                automated("report", needs="test"),
            )
        )
    )
    sim.fail("p/compile")
    assert sim.states("p/compile", "p/test", "p/report") == ["failed", "aborted", "aborted"]
    assert sim.states("p", "") == ["failed", "failed"]


def test_branches_that_do_not_depend_on_a_failure_go_on() -> None:
    # cart (fails) ─ cart-test
    # payments ───── payments-test
    sim = begin(
        draw(
            phase(
                "p",
                automated("cart", on_failure="fail"),
                automated("cart-test", needs="cart"),
                automated("payments"),
                automated("payments-test", needs="payments"),
            )
        )
    )
    sim.fail("p/cart")
    sim.succeed("p/payments")
    assert sim.states("p/cart-test", "p/payments-test", "") == ["aborted", "queued", "running"]
    sim.succeed("p/payments-test")
    assert sim.states("p", "") == ["failed", "failed"]


def test_nothing_starts_downstream_of_a_phase_that_lost_something_to_a_failure() -> None:
    # [build: compile, sign (fails)]
    #                   └── [deploy: upload, activate] ─ [announce]
    sim = begin(
        draw(
            phase("build", automated("compile"), automated("sign", on_failure="fail")),
            phase("deploy", automated("upload"), automated("activate", needs="build.sign")),
            phase("announce", automated("mail"), needs="deploy"),
        )
    )
    sim.fail("build/sign")
    sim.succeed("build/compile", "deploy/upload")
    assert sim.states("deploy/activate", "deploy") == ["aborted", "aborted"], "it ran in part only"
    assert sim.states("announce", "announce/mail", "") == ["aborted", "aborted", "failed"]


def test_what_an_optional_failure_keeps_from_running_stops_nobody_else() -> None:
    # [build: compile, lint (optional, fails) ─ grade ─ plot] ─ [deploy]
    sim = begin(
        draw(
            phase(
                "build",
                automated("compile"),
                automated("lint", required=False, on_failure="fail"),
                automated("grade", needs="lint"),
                automated("plot", needs="grade"),
            ),
            phase("deploy", automated("ship"), needs="build"),
        )
    )
    sim.fail("build/lint")
    sim.succeed("build/compile")
    assert sim.states("build/grade", "build/plot", "build") == ["aborted", "aborted", "partially_succeeded"]
    sim.succeed("deploy/ship")
    assert sim[""] == "partially_succeeded"


@pytest.mark.parametrize("order", [("p/lint", "p/sign"), ("p/sign", "p/lint")])
def test_losing_an_optional_need_and_a_required_one_is_the_same_in_either_order(order: tuple[str, str]) -> None:
    # [p: lint (optional, fails)]─┐
    # [q: sign (fails)]───────────┴─ [r: publish] ─ [announce]
    sim = begin(
        draw(
            phase("p", automated("lint", required=False, on_failure="fail"), automated("sign", on_failure="fail")),
            phase("r", automated("publish", needs="p.lint p.sign")),
            phase("announce", automated("mail"), needs="r"),
        )
    )
    for path in order:
        sim.fail(path)
    assert sim.states("r/publish", "r", "announce", "") == ["aborted", "aborted", "aborted", "failed"]


# Rolling up -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "required", "partial", "weighs"),
    [
        ("pending", True, False, "unsettled"),
        ("queued", True, False, "unsettled"),
        ("running", False, False, "unsettled"),
        ("waiting", True, False, "unsettled"),
        ("on_hold", False, False, "unsettled"),
        ("failed", True, False, "failed"),
        ("failed", False, False, "partial"),
        ("aborted", True, False, "partial stopped"),
        ("aborted", True, True, "partial"),
        ("aborted", False, False, "partial"),
        ("ignored", True, False, "partial"),
        ("ignored", False, False, ""),
        ("partially_succeeded", True, False, "partial"),
        ("succeeded", True, True, "partial"),
        ("succeeded", True, False, ""),
        ("skipped", True, False, ""),
    ],
)
def test_how_much_each_state_weighs_in_what_holds_it(state: str, required: bool, partial: bool, weighs: str) -> None:
    tally = grade(state, required, partial)
    assert {name for name, count in tally._asdict().items() if count} == set(weighs.split())


CLEAN, HOLE, FAILED = ["succeed"], ["fail", "ignore"], ["fail", "give_up"]


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        (CLEAN, CLEAN, "succeeded"),
        (CLEAN, HOLE, "partially_succeeded"),
        (HOLE, HOLE, "partially_succeeded"),
        (CLEAN, FAILED, "failed"),
        (HOLE, FAILED, "failed"),
        (FAILED, FAILED, "failed"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_phase_ends_by_the_worst_in_it(first: list[str], second: list[str], ends: str, turned: bool) -> None:
    # p: one   two
    sim = begin(draw(phase("p", automated("one"), automated("two"))))
    for path, verbs in [("p/one", second if turned else first), ("p/two", first if turned else second)]:
        for verb in verbs:
            getattr(sim, verb)(path)
    assert sim.states("p", "") == [ends, ends]
