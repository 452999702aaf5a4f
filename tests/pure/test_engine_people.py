"""Running a phase once more, pausing, resuming and aborting."""

from __future__ import annotations

import pytest

from releases.states import IllegalMove
from tests.pure.simulator import Opening, Simulator
from tests.pure.trees import automated, draw, for_each, manual, phase, subprocess


# Restart --------------------------------------------------------------------------------------------------------------
def test_a_restarted_phase_runs_again_from_its_first_activity() -> None:
    # [build: compile ─ test]
    sim = Simulator(draw(phase("build", automated("compile"), automated("test", needs="compile")))).start()
    sim.succeed("build/compile")
    sim.fail("build/test")
    assert sim.restart("build") == []
    assert sim.states("build", "build/compile", "build/test") == ["running", "queued", "pending"]
    sim.succeed("build/compile", "build/test")
    assert sim[""] == "succeeded"


def test_a_restart_brings_back_what_never_ran_because_of_the_phase() -> None:
    # [build: compile (fails)] ─ [deploy: ship] ─ [check]     [other]
    sim = Simulator(
        draw(
            phase("build", automated("compile", on_failure="fail")),
            phase("deploy", automated("ship"), needs="build"),
            phase("check", automated("look"), needs="deploy"),
            phase("other", manual("work")),
        )
    ).start()
    sim.fail("build/compile")
    assert sim.states("build", "deploy", "check", "") == ["failed", "aborted", "aborted", "running"]
    assert sim.restart("build") == []
    assert sim.states("build/compile", "deploy", "deploy/ship", "check") == ["queued", "pending", "pending", "pending"]
    sim.succeed("build/compile", "deploy/ship", "check/look", "other/work")
    assert sim[""] == "succeeded"


def test_a_restart_reopens_a_phase_that_stopped_for_want_of_it_and_keeps_what_that_has_done() -> None:
    # [build: sign (fails)]                     [other]
    #            └── [deploy: upload, activate] ─ [announce]
    sim = Simulator(
        draw(
            phase("build", automated("sign", on_failure="fail")),
            phase("deploy", automated("upload"), automated("activate", needs="build.sign")),
            phase("announce", automated("mail"), needs="deploy"),
            phase("other", manual("work")),
        )
    ).start()
    sim.fail("build/sign")
    sim.succeed("deploy/upload")
    assert sim.states("deploy", "announce") == ["aborted", "aborted"]
    assert sim.restart("build") == []
    assert sim.states("deploy", "deploy/upload", "deploy/activate") == ["running", "succeeded", "pending"]
    sim.succeed("build/sign", "deploy/activate", "announce/mail", "other/work")
    assert sim[""] == "succeeded"


def test_a_restart_looks_again_at_conditions_that_were_false() -> None:
    # [build] ─ [notes (when: false, then true)]     [other]
    drawing = draw(
        phase("build", automated("compile")),
        phase("notes", automated("write"), needs="build"),
        phase("other", manual("w")),
    )
    truths = iter([False, True])
    sim = Simulator(drawing, lambda k: Opening(when=next(truths) if k == drawing.key("notes") else True)).start()
    sim.succeed("build/compile")
    assert sim.states("notes", "notes/write") == ["skipped", "skipped"]
    assert sim.restart("build") == []
    sim.succeed("build/compile")
    assert sim.states("notes", "notes/write") == ["running", "queued"]


def test_what_was_skipped_in_a_phase_that_has_ended_stays_so() -> None:
    # [build: compile]                                   [other]
    #            └── [notes: write (when: false), file]
    drawing = draw(
        phase("build", automated("compile")),
        phase("notes", automated("write", needs="build.compile"), automated("file")),
        phase("other", manual("work")),
    )
    sim = Simulator(drawing, lambda key: Opening(when=key != drawing.key("notes/write"))).start()
    sim.succeed("build/compile", "notes/file")
    assert sim.states("notes/write", "notes") == ["skipped", "succeeded"]
    assert sim.restart("build") == []
    assert sim.states("build", "notes/write", "notes") == ["running", "skipped", "succeeded"]


@pytest.mark.parametrize("settled", [False, True])
def test_what_needs_the_phase_and_has_begun_forbids_the_restart(settled: bool) -> None:
    # [build] ─ [deploy: ship, check]
    sim = Simulator(
        draw(phase("build", automated("compile")), phase("deploy", automated("ship"), automated("c"), needs="build"))
    ).start()
    sim.succeed("build/compile")
    if settled:
        sim.succeed("deploy/ship")
    assert sim.restart("build") == ["deploy"]
    assert sim.states("build", "deploy") == ["succeeded", "running"], "nothing has moved"


def test_an_activity_elsewhere_that_has_begun_forbids_it_too() -> None:
    # [build: compile, pack]
    #            └────────── [docs: write]
    sim = Simulator(
        draw(
            phase("build", automated("compile"), automated("pack")),
            phase("docs", automated("write", needs="build.compile")),
        )
    ).start()
    sim.succeed("build/compile")
    assert sim.restart("build") == ["docs/write"]


def test_clean_up_that_has_begun_forbids_it_even_behind_something_that_never_ran() -> None:
    # [build (fails)] ─ [deploy] ─(settled)─ [wrap-up]
    sim = Simulator(
        draw(
            phase("build", automated("compile", on_failure="fail")),
            phase("deploy", automated("ship"), needs="build"),
            phase("wrap-up", automated("clean"), needs="deploy", after_settled=True),
        )
    ).start()
    sim.fail("build/compile")
    assert sim.restart("build") == ["wrap-up"]


def test_a_phase_inside_something_that_is_not_running_is_not_restarted() -> None:
    # review (on hold) { [scan: look (fails)] }
    sim = Simulator(
        draw(phase("p", subprocess("review", phase("scan", automated("look", on_failure="fail")), on_failure="hold")))
    ).start()
    sim.fail("p/review/scan/look")
    assert sim.restart("p/review/scan") == ["p/review"]


def test_a_phase_in_an_item_is_restarted_without_the_other_items() -> None:
    # wave { [deploy: ship] ─ [check: look] } x 2
    wave = subprocess("wave", phase("deploy", automated("ship")), phase("check", manual("look"), needs="deploy"))
    sim = Simulator(draw(phase("p", for_each(wave, 2)))).start()
    sim.succeed("p/wave[1]/deploy/ship")
    sim.fail("p/wave[0]/deploy/ship")
    assert sim.restart("p/wave[0]/deploy") == []
    assert sim.states("p/wave[0]/deploy/ship", "p/wave[1]/check/look") == ["queued", "waiting"]


def test_a_restart_brings_back_what_failing_fast_stopped() -> None:
    # fail_fast
    # [build: cart (fails)]    [docs: write ─ print] ─ [mail]
    sim = Simulator(
        draw(
            phase("build", automated("cart", on_failure="fail")),
            phase("docs", automated("write"), automated("print", needs="write")),
            phase("mail", automated("send"), needs="docs"),
            fail_fast=True,
        )
    ).start()
    sim.fail("build/cart")
    assert sim.states("docs/print", "mail", "mail/send") == ["aborted"] * 3
    assert sim.restart("build") == []
    assert sim.states("docs/print", "mail", "mail/send") == ["pending"] * 3
    sim.succeed("build/cart", "docs/write", "docs/print", "mail/send")
    assert sim[""] == "succeeded"


def test_another_failure_forbids_a_restart_where_failing_fast_would_stop_it_at_once() -> None:
    # fail_fast
    # [build: cart (fails)]    [docs: write (fails)]    [other]
    sim = Simulator(
        draw(
            phase("build", automated("cart", on_failure="fail")),
            phase("docs", automated("write", on_failure="fail")),
            phase("other", manual("work")),
            fail_fast=True,
        )
    ).start()
    sim.fail("build/cart")
    sim.fail("docs/write")
    assert sim.restart("build") == ["docs", "docs/write"]


def test_a_subprocess_that_failing_fast_stopped_half_way_forbids_a_restart() -> None:
    # fail_fast
    # [build: cart (fails)]   [docs: review { [scan: look] ─ [verdict] }]   [other]
    sim = Simulator(
        draw(
            phase("build", automated("cart", on_failure="fail")),
            phase("docs", subprocess("review", phase("scan", manual("look")), phase("v", manual("say"), needs="scan"))),
            phase("other", manual("work")),
            fail_fast=True,
        )
    ).start()
    sim.fail("build/cart")
    sim.succeed("docs/review/scan/look")
    assert sim.states("docs/review/v", "docs/review", "docs") == ["aborted", "aborted", "aborted"]
    assert "docs/review" in sim.restart("build")


def test_retrying_a_subprocess_is_refused_where_failing_fast_would_stop_it_at_once() -> None:
    # fail_fast
    # cart (fails)   review (on hold) { [scan: look (fails)] }
    held = subprocess("review", phase("scan", automated("look", on_failure="fail")), on_failure="hold")
    sim = Simulator(draw(phase("p", automated("cart", on_failure="fail"), held), fail_fast=True)).start()
    sim.fail("p/review/scan/look")
    sim.fail("p/cart")
    assert not sim.retry("p/review")
    assert sim["p/review"] == "on_hold"


# Pause ----------------------------------------------------------------------------------------------------------------
def test_a_paused_release_opens_nothing_but_takes_results() -> None:
    # [p: one ─ two] ─ [q: three]
    sim = Simulator(
        draw(phase("p", automated("one"), automated("two", needs="one")), phase("q", automated("three"), needs="p"))
    ).start()
    sim.pause()
    sim.succeed("p/one")
    assert sim.states("p/one", "p/two", "q", "") == ["succeeded", "pending", "pending", "running"]
    assert sim.state == "paused"
    sim.resume()
    assert sim["p/two"] == "queued"


def test_what_can_never_run_is_settled_even_while_paused() -> None:
    # one (fails) ─ two
    sim = Simulator(
        draw(phase("p", automated("one", on_failure="fail"), automated("two", needs="one"), manual("other")))
    ).start()
    sim.pause()
    sim.fail("p/one")
    assert sim["p/two"] == "aborted"


def test_a_paused_release_whose_last_activity_ends_has_ended() -> None:
    # one
    sim = Simulator(draw(phase("p", automated("one")))).start()
    sim.pause()
    sim.succeed("p/one")
    assert sim.state == "succeeded"


def test_a_restart_while_paused_waits_for_the_resume() -> None:
    # [p: one]
    sim = Simulator(draw(phase("p", automated("one"), manual("other")))).start()
    sim.pause()
    assert sim.restart("p") == []
    assert sim.states("p", "p/one") == ["pending", "pending"]
    sim.resume()
    assert sim.states("p", "p/one") == ["running", "queued"]


# Abort ----------------------------------------------------------------------------------------------------------------
def test_an_aborted_release_is_sealed() -> None:
    # [p: one, two (on hold) ─ three] ─(settled)─ [clean-up]
    sim = Simulator(
        draw(
            phase("p", automated("one"), automated("two"), automated("three", needs="two")),
            phase("clean-up", automated("sweep"), needs="p", after_settled=True),
        )
    ).start()
    sim.fail("p/two")
    sim.abort()
    everything = ["p", "p/one", "p/two", "p/three", "clean-up", "clean-up/sweep", ""]
    assert sim.states(*everything) == ["aborted"] * 7
    assert sim.plan_everything() == [], "not even clean-up starts"
    with pytest.raises(IllegalMove):
        sim.move(sim.drawing.key("p/one"), "succeeded")
    with pytest.raises(IllegalMove):
        sim.resume()


def test_what_had_settled_before_an_abort_stays_as_it_was() -> None:
    # [p: one] ─ [q: two]
    sim = Simulator(draw(phase("p", automated("one")), phase("q", automated("two"), needs="p"))).start()
    sim.succeed("p/one")
    sim.abort()
    assert sim.states("p", "p/one", "q", "") == ["succeeded", "succeeded", "aborted", "aborted"]
