"""What people do in manual activities: tasks, forms, evidence, comments, and what completes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from config.errors import Conflict, InvalidInput, NotFound, NotPermitted
from config.models import Event
from releases.models import Comment, Participant, TaskRun
from releases.services import answering, running
from tests.builders import MONDAY, run_of, start, states
from tests.crowd import member

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(hours=1)

# one: agree (development's phase)
TASKS = """
id: tasks
inputs: {version: {type: string}}
phases:
  - id: one
    owners: [group:development]
    activities:
      - id: agree
        manual:
          instructions: "Agree what ships in ${{ inputs.version }}."
          tasks:
            - {id: tickets, groups: [qa], expected_duration: 30m}
            - {id: announce, name: "Announce ${{ inputs.version }}", groups: ["group:devops"], required: false}
            - {id: review}
"""

FORM = """
id: form
phases:
  - id: one
    owners: [group:development]
    activities:
      - id: ask
        manual:
          form:
            notes: {type: text, required: true}
            risk: {type: integer, min: 1, max: 5, default: 2}
            soak: {type: duration}
      - {id: use, depends_on: [ask], wait: "${{ phases.one.activities.ask.outputs.soak }}"}
"""


def manual(block: str, **more: str) -> str:
    """Return a process with one manual activity, `one/step`, in development's phase."""
    extra = "".join(f"\n        {key}: {value}" for key, value in more.items())
    return f"""
id: process
inputs: {{what: {{type: string, default: shoes}}}}
phases:
  - id: one
    owners: [group:development]
    activities:
      - id: step
        manual: {block}{extra}
"""


def task(run, slug):
    return TaskRun.objects.get(activity_run=run, attempt=run.attempt, slug=slug)


def verbs(run):
    told = Event.objects.filter(subject_type="activityrun", subject_id=run.pk)
    return [verb.partition(".")[2] for verb in told.values_list("verb", flat=True)]


# Tasks ----------------------------------------------------------------------------------------------------------------
def test_what_is_asked_has_its_expressions_filled_in(db):
    release = start(TASKS, inputs={"version": "1.0"})
    run = run_of(release, "one/agree")
    assert run.state == "waiting"
    assert run.work["instructions"] == "Agree what ships in 1.0."
    assert list(run.tasks.values_list("slug", "name", "groups", "required", "expected_seconds")) == [
        ("tickets", "Tickets", ["qa"], True, 1800.0),
        ("announce", "Announce 1.0", ["group:devops"], False, None),
        ("review", "Review", ["group:development"], True, None),
    ]


def test_the_required_tasks_complete_the_activity_and_optional_ones_need_not_be_done(owner):
    run = run_of(start(TASKS, inputs={"version": "1.0"}), "one/agree")
    answering.set_task(owner, run, "tickets", done=True, now=LATER)
    run.refresh_from_db()
    assert run.state == "waiting"
    answering.set_task(owner, run, "review", done=True, now=LATER)
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert task(run, "announce").done_at is None
    done = task(run, "tickets")
    assert (done.done_at, done.done_by, done.done_by_name) == (LATER, owner, "owner")


def test_a_task_is_for_its_groups_and_for_those_who_decide(groups, stranger):
    run = run_of(start(TASKS, inputs={"version": "1.0"}), "one/agree")
    ann, ben = member("ann", "qa"), member("ben", "devops")
    with pytest.raises(NotPermitted, match="Only qa may do this task"):
        answering.set_task(stranger, run, "tickets", done=True, now=LATER)
    with pytest.raises(NotPermitted):
        answering.set_task(ann, run, "announce", done=True, now=LATER)
    answering.set_task(ben, run, "announce", done=True, now=LATER)
    answering.set_task(ann, run, "tickets", done=True, now=LATER)
    answering.set_task(member("dev", "development"), run, "review", done=True, now=LATER)
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_task_can_be_opened_again_until_the_activity_settles(owner):
    run = run_of(start(TASKS, inputs={"version": "1.0"}), "one/agree")
    answering.set_task(owner, run, "tickets", done=True, now=LATER)
    with pytest.raises(Conflict, match="already done"):
        answering.set_task(owner, run, "tickets", done=True, now=LATER)
    answering.set_task(owner, run, "tickets", done=False, now=LATER)
    reopened = task(run, "tickets")
    assert (reopened.done_at, reopened.done_by, reopened.done_by_name) == (None, None, "")
    answering.set_task(owner, run, "review", done=True, now=LATER)
    answering.set_task(owner, run, "tickets", done=True, now=LATER)
    with pytest.raises(Conflict, match="succeeded; it does not wait"):
        answering.set_task(owner, run, "review", done=False, now=LATER)
    assert verbs(run) == ["waiting", "done", "reopened", "done", "done", "succeeded"]


def test_there_is_no_task_by_another_name(owner):
    run = run_of(start(TASKS, inputs={"version": "1.0"}), "one/agree")
    with pytest.raises(InvalidInput, match="no task 'lunch'"):
        answering.set_task(owner, run, "lunch", done=True, now=LATER)


def test_whoever_a_task_is_assigned_to_sees_the_release(groups):
    release = start(TASKS, inputs={"version": "1.0"})
    assert {"qa", "devops", "development"} <= set(
        Participant.objects.filter(release=release).values_list("group__name", flat=True)
    )


def test_a_task_may_be_assigned_by_an_expression_and_one_that_names_nobody_holds_the_activity(groups):
    text = manual('{tasks: [{id: a, groups: ["${{ inputs.what }}"], expected_duration: "${{ inputs.what }}"}]}')
    run = run_of(start(text, inputs={"what": ""}), "one/step")
    assert run.state == "on_hold"
    named = manual('{tasks: [{id: a, groups: ["${{ inputs.what }}"]}]}').replace("id: process", "id: other")
    run = run_of(start(named, inputs={"what": "qa"}), "one/step")
    assert task(run, "a").groups == ["qa"]
    answering.set_task(member("ann", "qa"), run, "a", done=True, now=LATER)
    run.refresh_from_db()
    assert run.state == "succeeded"


# Forms ----------------------------------------------------------------------------------------------------------------
def test_a_form_tells_all_its_faults_at_once(owner):
    run = run_of(start(FORM), "one/ask")
    with pytest.raises(InvalidInput) as caught:
        answering.submit_form(owner, run, {"risk": 9, "soak": "soon", "colour": "red"}, now=LATER)
    paths = sorted(fault.path for fault in caught.value.faults)
    assert paths == ["values.colour", "values.notes", "values.risk", "values.soak"]
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("waiting", {})


def test_answers_become_typed_outputs(owner):
    release = start(FORM)
    run = run_of(release, "one/ask")
    answering.submit_form(owner, run, {"notes": "All good", "soak": "90s"}, now=LATER)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("succeeded", {"notes": "All good", "risk": 2, "soak": "1m30s"})
    waiting = run_of(release, "one/use")
    assert (waiting.state, waiting.next_look_at) == ("waiting", LATER + timedelta(seconds=90))


def test_a_form_is_for_its_owners_and_assignees(stranger):
    run = run_of(start(FORM), "one/ask")
    with pytest.raises(NotPermitted, match="hand this in"):
        answering.submit_form(stranger, run, {"notes": "x"}, now=LATER)
    answering.submit_form(member("dev", "development"), run, {"notes": "x"}, now=LATER)


def test_answers_are_kept_until_the_rest_is_done_and_may_be_replaced(owner):
    text = manual("{form: {a: {type: string}}, tasks: [{id: t}]}")
    run = run_of(start(text), "one/step")
    answering.submit_form(owner, run, {"a": "one"}, now=LATER)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("waiting", {"a": "one"})
    answering.submit_form(owner, run, {"a": "two"}, now=LATER)
    answering.set_task(owner, run, "t", done=True, now=LATER)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("succeeded", {"a": "two"})
    told = Event.objects.get(subject_id=run.pk, verb="form.answered", before__isnull=False)
    assert (told.before, told.after) == ({"values": {"a": "one"}}, {"values": {"a": "two"}})


def test_an_activity_without_a_form_takes_no_answers(owner):
    run = run_of(start(manual("{instructions: Look.}")), "one/step")
    with pytest.raises(Conflict, match="asks no form"):
        answering.submit_form(owner, run, {}, now=LATER)


@pytest.mark.parametrize("values", [["a"], {"a": "nul \x00"}, {"a": "\ud800"}, {"a\x00": "b"}, None])
def test_odd_answers_are_faults_and_never_reach_the_database(owner, values):
    run = run_of(start(manual("{form: {a: {type: string}}}")), "one/step")
    with pytest.raises(InvalidInput):
        answering.submit_form(owner, run, values, now=LATER)


# Completing -----------------------------------------------------------------------------------------------------------
def test_instructions_alone_are_done_when_somebody_says_so(owner, stranger):
    run = run_of(start(manual('{instructions: "Mind the ${{ inputs.what }}."}'), inputs={"what": "gap"}), "one/step")
    assert run.work["instructions"] == "Mind the gap."
    with pytest.raises(NotPermitted):
        answering.complete_activity(stranger, run, now=LATER)
    answering.complete_activity(owner, run, now=LATER)
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("succeeded", LATER)
    with pytest.raises(Conflict, match="succeeded"):
        answering.complete_activity(owner, run, now=LATER)


def test_what_is_required_must_be_done_before_somebody_says_it_is(owner):
    block = """{tasks: [{id: t, name: Tick}], form: {a: {type: string}}, evidence: {required: 2},
                approval: {rules: [{group: qa, count: 2}]}}"""
    run = run_of(start(manual(block)), "one/step")
    with pytest.raises(Conflict) as caught:
        answering.complete_activity(owner, run, now=LATER)
    assert caught.value.message == ("Still open: task 'Tick', the form, 2 of 2 sign-offs by qa, 2 of 2 evidence files.")


def test_only_optional_tasks_wait_for_somebody_to_say_that_it_is_done(owner):
    run = run_of(start(manual("{tasks: [{id: t, required: false}]}")), "one/step")
    answering.set_task(owner, run, "t", done=True, now=LATER)
    run.refresh_from_db()
    assert run.state == "waiting"
    answering.complete_activity(owner, run, now=LATER)
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_owners_of_the_activity_itself_decide_about_it_and_others_do_not(groups):
    run = run_of(start(manual("{instructions: Look.}", owners='["user:ann"]')), "one/step")
    with pytest.raises(NotPermitted):
        answering.complete_activity(member("ben", "qa"), run, now=LATER)
    answering.complete_activity(member("ann"), run, now=LATER)


# Evidence -------------------------------------------------------------------------------------------------------------
def test_the_last_required_file_completes_the_activity(owner):
    run = run_of(start(manual("{evidence: {required: 2}}")), "one/step")
    first = answering.add_evidence(owner, run, name="a/b\\scan\x00.pdf", content=b"one", now=LATER)
    run.refresh_from_db()
    assert (run.state, first.name, first.size) == ("waiting", "scan.pdf", 3)
    assert "scan" not in str(first.file.name)
    answering.add_evidence(owner, run, name="", content=b"two", now=LATER)
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert verbs(run) == ["waiting", "added", "added", "succeeded"]


def test_an_empty_file_is_no_evidence_and_a_stranger_adds_none(owner, stranger):
    run = run_of(start(manual("{evidence: {required: 1}}")), "one/step")
    for folder in default_storage.listdir("")[0]:
        default_storage.delete(folder)
    with pytest.raises(InvalidInput, match="empty"):
        answering.add_evidence(owner, run, name="a", content=b"", now=LATER)
    with pytest.raises(NotPermitted):
        answering.add_evidence(stranger, run, name="a", content=b"x", now=LATER)
    kept = answering.add_evidence(owner, run, name="a", content=b"x", now=LATER)
    with pytest.raises(Conflict):
        answering.add_evidence(owner, run, name="a", content=b"x", now=LATER)
    folder = str(kept.file.name).rpartition("/")[0]
    assert len(default_storage.listdir(folder)[1]) == 1  # what was refused is not left behind


# Comments -------------------------------------------------------------------------------------------------------------
def test_everybody_who_sees_the_release_may_comment_at_any_time(groups, stranger):
    release = start(TASKS, inputs={"version": "1.0"})
    run = run_of(release, "one/agree")
    ann = member("ann", "qa")
    answering.add_comment(ann, run, "  Looks good. ", now=LATER)
    comment = Comment.objects.get()
    assert (comment.body, comment.author, comment.author_name, comment.at) == ("Looks good.", ann, "ann", LATER)
    with pytest.raises(NotFound):
        answering.add_comment(stranger, run, "Me too", now=LATER)
    for odd in ("  ", "x" * 10_001, "nul \x00"):
        with pytest.raises(InvalidInput):
            answering.add_comment(ann, run, odd, now=LATER)


# Once more ------------------------------------------------------------------------------------------------------------
def test_a_second_attempt_has_fresh_tasks_answers_and_sign_offs(owner, manager):
    block = """{tasks: [{id: t}], form: {a: {type: string}}, evidence: {required: 1},
                approval: {rules: [{group: qa}]}}"""
    release = start(manual(block))
    run = run_of(release, "one/step")
    answering.set_task(owner, run, "t", done=True, now=LATER)
    answering.submit_form(owner, run, {"a": "x"}, now=LATER)
    answering.add_evidence(owner, run, name="a", content=b"x", now=LATER)
    answering.sign_off(owner, run, decision="rejected", comment="not yet", now=LATER)
    run.refresh_from_db()
    assert (run.state, run.error, run.attempt) == ("on_hold", "Rejected: not yet", 1)
    assert run.outputs == {"a": "x", "decision": "rejected"}
    running.retry_activity(manager, run, now=LATER)
    old = run
    run = run_of(release, "one/step")
    assert (run.state, run.error, run.attempt, run.outputs) == ("waiting", "", 2, {})
    assert task(run, "t").done_at is None
    with pytest.raises(Conflict, match=r"task 'T', the form, 1 of 1 sign-offs by qa, 1 of 1 evidence files"):
        answering.complete_activity(owner, run, now=LATER)
    answering.set_task(owner, old, "t", done=True, now=LATER)  # a page opened before the retry
    answering.submit_form(owner, old, {"a": "y"}, now=LATER)
    answering.add_evidence(owner, old, name="a", content=b"x", now=LATER)
    answering.sign_off(owner, old, decision="approved", now=LATER)
    assert states(release) == {"one/step": "succeeded"}
    run.refresh_from_db()
    assert run.outputs == {"a": "y", "decision": "approved"}


def test_a_hold_may_be_ignored_without_the_answers_that_a_form_requires(owner):
    release = start(manual("{form: {a: {type: string, required: true}}, approval: {rules: [{group: qa}]}}"))
    run = run_of(release, "one/step")
    answering.sign_off(owner, run, decision="rejected", comment="no", now=LATER)
    running.ignore_activity(owner, run, now=LATER, reason="it is fine")
    release.refresh_from_db()
    assert release.state == "partially_succeeded"
