"""One activity: what its panel shows, and everything people do there."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from activities.runners import Outcome
from releases.models import ActivityRun, Attempt, AttemptLog, Comment, Evidence, Release
from releases.services import answering
from tests.approvals import LATER, approval, sign
from tests.builders import run_of, work
from tests.builders import start as begin
from tests.crowd import member
from tests.edges.pages import KINDS, Reader, panel_of, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db
REPLACEMENT = """
kind: Process
id: spare
name: Spare
inputs: {why: {type: string}}
phases:
  - id: only
    name: Only
    activities:
      - {id: measure, outputs: {lag: {type: integer}}, automated: {connection: scripted, pipeline: spare}}
outputs: {measured: "${{ phases.only.activities.measure.outputs.lag }}"}
"""


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    engine.script["check"] = [Outcome("failed", error="lag <too> high", log="measuring\n<b>94 s</b>\x1b[31m\n")]
    return start(publish(KINDS), manager)


@pytest.fixture
def held(release: Release) -> ActivityRun:
    return run_of(release, "prepare/check")


@pytest.fixture
def runbook(release: Release) -> ActivityRun:
    return run_of(release, "prepare/runbook")


def test_the_panel_shows_error_log_attempts_and_inputs_with_sources(held: ActivityRun, owner: User) -> None:
    Attempt.objects.filter(activity_run=held).update(link="https://ci.example/42")
    reader = Reader(owner)
    text = reader.open(panel_of(held))
    for word in ("Check", "On hold", "lag <too> high", "measuring <b>94 s</b>[31m", "limit 10 default", "Failed"):
        assert word in text
    assert 'href="https://ci.example/42"' in reader.source
    assert "<b>94" not in reader.source
    assert "\x1b" not in reader.source


def test_the_panel_draws_how_far_the_latest_attempt_is(held: ActivityRun, owner: User) -> None:
    points = [[1_795_773_600, 0.004], [1_795_773_660, 0.02, "broken"]]
    curve = {"query": "<errors>", "condition": "< 0.01", "limits": [0.01], "allowed": [None, 0.01], "points": points,
             "began": 1_795_773_600, "until": 1_795_773_700, "broken_at": 1_795_773_660}  # fmt: skip
    told = {"text": "Broken: errors = 0.02.", "share": 0.25, "curve": curve}
    Attempt.objects.filter(activity_run=held).update(progress=told)
    reader = Reader(owner)
    text = reader.open(panel_of(held))
    for word in ("Broken: errors = 0.02.", "<errors>", "must be", "last 0.02", "2 points"):
        assert word in text
    for part in ('value="25"', '<path class="line" d="M', '<line class="broken"'):
        assert part in reader.source
    assert " style=" not in reader.source


def test_instructions_are_markdown_without_anything_that_runs(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    reader.open(panel_of(runbook))
    assert "<strong>this</strong>" in reader.source
    assert "alert" not in reader.source
    assert "javascript:" not in reader.source


def test_a_log_is_downloaded_as_plain_text(held: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    reader.open(f"{panel_of(held)}logs/1/")
    assert reader.source == AttemptLog.objects.get().text
    assert reader.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reader.headers["Content-Disposition"] == 'attachment; filename="check-1.log"'
    assert reader.headers["X-Content-Type-Options"] == "nosniff"
    reader.open(f"{panel_of(held)}logs/7/")
    assert reader.status == 404


def test_a_retry_with_changed_inputs(held: ActivityRun, owner: User, engine: ScriptedRunner) -> None:
    Reader(owner).send(panel_of(held, "retry"), **{"inputs.limit": "100", "reason": "slow night"})
    held.refresh_from_db()
    assert (held.state, held.attempt, held.inputs, held.sources) == ("queued", 2, {"limit": 100}, {"limit": "retry"})


def test_a_retry_with_a_wrong_input_is_refused_beside_the_field(held: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    text = reader.send(panel_of(held, "retry"), **{"inputs.limit": "lots", "reason": "slow night"})
    assert reader.status == 400
    assert "'lots' cannot be read as integer." in text
    assert 'value="lots"' in reader.source
    assert 'value="slow night"' in reader.source
    held.refresh_from_db()
    assert held.state == "on_hold"


def test_a_retry_pressed_twice_is_one_attempt_and_no_complaint(
    held: ActivityRun, owner: User, release: Release
) -> None:
    reader = Reader(owner)
    for _ in range(2):
        reader.send(panel_of(held, "retry"), once="mark")
        assert reader.status == 302
    work(release)
    assert Attempt.objects.filter(activity_run=held).count() == 2
    assert "not on hold" in reader.send(panel_of(held, "retry"), once="another")
    assert reader.status == 409


def test_ignoring_asks_for_a_reason_and_takes_stand_in_outputs(held: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    assert "A reason is required." in reader.send(panel_of(held, "ignore"), **{"outputs.lag": "5"})
    assert 'id="ask-ignore" open' in reader.source
    assert 'value="5"' in reader.source
    text = reader.send(panel_of(held, "ignore"), **{"outputs.lag": "5", "reason": "known"})
    held.refresh_from_db()
    assert (held.state, held.outputs, held.reason) == ("ignored", {"lag": 5}, "known")
    assert "Reason: known" in text


def test_letting_it_fail(held: ActivityRun, owner: User) -> None:
    assert "Failed" in Reader(owner).send(panel_of(held, "fail"), reason="hopeless")
    held.refresh_from_db()
    assert held.state == "failed"


def test_another_process_runs_in_its_place(
    held: ActivityRun, manager: User, release: Release, engine: ScriptedRunner
) -> None:
    publish(REPLACEMENT)
    engine.script["spare"] = [Outcome("succeeded", outputs={"lag": "2"})]
    reader = Reader(manager)
    assert "Run a process instead" in reader.open(panel_of(held))
    assert "Choose the process to run instead." in reader.send(panel_of(held, "replace"), **{"with": "- no"})
    assert "Write one 'name: value' on each line." in reader.text
    reader.send(panel_of(held, "replace"), process="spare", outputs="lag: measured", **{"with": "why: it broke"})
    work(release)
    held.refresh_from_db()
    assert (held.kind, held.state, held.outputs) == ("subprocess", "succeeded", {"lag": 2})


def test_an_owner_without_a_process_to_see_is_not_offered_one(held: ActivityRun, owner: User) -> None:
    publish(REPLACEMENT)
    reader = Reader(owner)
    reader.open(panel_of(held))
    assert "replace" not in reader.actions
    assert "Choose the process" in reader.send(panel_of(held, "replace"), process="spare")


def test_people_do_everything_a_manual_activity_asks_and_it_succeeds(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    text = reader.open(panel_of(runbook))
    assert "Still open: task 'Look at it', the form, 1 of 1 sign-offs by qa, 1 of 1 evidence files" in text
    assert "0 of 1 by qa , 1 missing" in text
    assert "owner," in reader.send(panel_of(runbook, "task"), task="look", done="yes")
    assert "Undo" in reader.text
    reader.send(panel_of(runbook, "form"), **{"values.lasts": "1h30m", "values.risk": "low"})
    reader.send(
        panel_of(runbook, "evidence"), file=SimpleUploadedFile("../<i>proof.html", b"<script>alert(1)</script>")
    )
    assert "owner approved" in reader.send(panel_of(runbook, "sign"), decision="approved", comment="fine")
    runbook.refresh_from_db()
    assert runbook.state == "succeeded"
    assert runbook.outputs == {"lasts": "1h30m", "risk": "low", "decision": "approved"}


def test_evidence_is_only_ever_a_download(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    reader.send(
        panel_of(runbook, "evidence"), file=SimpleUploadedFile("proof.html", b"<script>1</script>", "text/html")
    )
    reader.open(f"{panel_of(runbook)}evidence/{Evidence.objects.get().pk}/")
    assert reader.headers["Content-Type"] == "application/octet-stream"
    assert reader.headers["Content-Disposition"] == 'attachment; filename="proof.html"'
    assert "Choose a file first." in reader.send(panel_of(runbook, "evidence"))
    assert "The file is empty." in reader.send(panel_of(runbook, "evidence"), file=SimpleUploadedFile("x", b""))


def test_a_form_with_faults_keeps_every_answer(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    text = reader.send(panel_of(runbook, "form"), **{"values.lasts": "a while", "values.risk": "high"})
    assert reader.status == 400
    assert "'a while' is not a duration." in text
    assert 'value="a while"' in reader.source
    assert '<option value="high" selected>' in reader.source


def test_a_missing_required_answer_is_said_beside_its_field(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    assert "'lasts' is required" in reader.send(panel_of(runbook, "form"), **{"values.risk": "high"})
    assert 'id="form-values.lasts"' in reader.source.split("aria-invalid")[0].rpartition("<")[2]


def test_rejecting_needs_a_reason_and_holds_the_activity(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    assert "A rejection needs a reason." in reader.send(panel_of(runbook, "sign"), decision="rejected")
    assert "On hold" in reader.send(panel_of(runbook, "sign"), decision="rejected", comment="untested")
    assert "owner rejected" in reader.text


def test_who_may_not_sign_is_told_who_may(runbook: ActivityRun, manager: User) -> None:
    reader = Reader(manager)
    reader.open(panel_of(runbook))
    assert "Approve" not in reader.text
    assert "Only qa may sign this activity." in reader.send(panel_of(runbook, "sign"), decision="approved")
    assert reader.status == 403


def test_a_signal_that_does_not_match_is_put_aside_and_one_that_does_goes_on(release: Release, owner: User) -> None:
    vendor = run_of(release, "move/vendor")
    reader = Reader(owner)
    assert "Send the signal yourself" in reader.open(panel_of(vendor))
    assert "does not match" in reader.send(panel_of(vendor, "signal"), **{"payload.ticket": "1"})
    assert 'value="1"' in reader.source
    assert "cannot be read as integer" in reader.send(panel_of(vendor, "signal"), **{"payload.ticket": "x"})
    assert "ticket 6" in reader.send(panel_of(vendor, "signal"), **{"payload.ticket": "6"})


def test_comments_are_kept_in_order_and_sent_once(runbook: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    assert "needs some text" in reader.send(panel_of(runbook, "comment"), body=" ")
    for _ in range(2):
        reader.send(panel_of(runbook, "comment"), body="Is **this** fine? <img src=x>", once="c")
    assert Comment.objects.count() == 1
    assert "<strong>this</strong>" in reader.source
    assert "<img" not in reader.source


def test_what_is_typed_survives_the_refresh_after_a_fault(held: ActivityRun, owner: User) -> None:
    reader = Reader(owner)
    reader.send(panel_of(held, "ignore"), **{"outputs.lag": "5"})
    form = reader.source.partition('do/ignore/"')[2].partition(">")[0]
    assert "hx-morph-skip" in form
    assert f'hx-get="{panel_of(held)}"' in reader.source


def test_an_activity_of_another_release_is_not_found_here(held: ActivityRun, release: Release, manager: User) -> None:
    other = start(release.process, manager)
    reader = Reader(manager)
    reader.open(f"/releases/{other.pk}/activities/{held.pk}/")
    assert reader.status == 404
    reader.send(f"/releases/{other.pk}/activities/{held.pk}/do/retry/")
    assert reader.status == 404
    reader.send(panel_of(held, "explode"))
    assert reader.status == 404


def test_a_void_sign_off_says_which_field_has_changed() -> None:
    ann, dev = member("ann", "qa"), member("dev", "devops")
    text = approval("[{group: qa}, {group: devops}]").replace("{approval:", "{form: {a: {type: string}}, approval:")
    run = run_of(begin(text), "one/step")
    answering.submit_form(dev, run, {"a": "x"}, now=LATER)
    sign(ann, run)
    answering.submit_form(dev, run, {"a": "y"}, now=LATER)
    page = Reader(ann).open(panel_of(run))
    assert re.search("ann approved .*, void since .*: answers.a has changed", page)
