"""Sign-offs of manual activities: who may, how many, what they are bound to, and what happens when nobody signs."""

from __future__ import annotations

import pytest

from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from releases.models import Artifact, SignOff
from releases.reading.activity import activity_detail
from releases.services import answering, planning, running
from tests.approvals import LATER, approval, reject, sign
from tests.builders import run_of, start, states
from tests.crowd import member

pytestmark = pytest.mark.django_db


# Who and how many -----------------------------------------------------------------------------------------------------
def test_two_of_a_group_sign_and_the_second_completes_the_activity():
    ann, ben = member("ann", "qa"), member("ben", "qa")
    run = run_of(start(approval("[{group: qa, count: 2}]")), "one/step")
    assert sign(ann, run) == "waiting"
    with pytest.raises(Conflict, match="already signed"):
        sign(ann, run)
    assert sign(ben, run) == "succeeded"
    assert run.outputs == {"decision": "approved"}
    assert states(run.release)["one/then"] == "waiting"


def test_every_rule_must_be_met_and_nobody_fills_two_slots():
    ann, ben, cat = member("ann", "qa", "devops"), member("ben", "qa"), member("cat", "qa")
    run = run_of(start(approval("[{group: qa}, {group: devops}]")), "one/step")
    assert sign(ann, run) == "waiting"
    assert sign(ben, run) == "succeeded"
    run = run_of(start(approval("[{group: qa}, {group: devops}]")), "one/step")
    assert sign(ben, run) == "waiting"
    with pytest.raises(NotPermitted, match="Every place you could fill has been signed for"):
        sign(cat, run)
    assert sign(ann, run) == "succeeded"


def test_all_of_a_group_means_its_active_people_who_may():
    ann, ben = member("ann", "qa"), member("ben", "qa")
    member("gone", "qa", active=False)
    run = run_of(start(approval("[{group: qa, all: true}]"), by=ben), "one/step")
    with pytest.raises(NotPermitted, match="You started the release"):
        sign(ben, run)
    assert sign(ann, run) == "succeeded"


def test_a_share_of_a_group():
    people = [member(f"p{number}", "qa") for number in range(5)]
    run = run_of(start(approval("[{group: qa, percent: 50}]")), "one/step")
    assert [sign(person, run) for person in people[:3]] == ["waiting", "waiting", "succeeded"]


def test_people_named_and_the_one_who_fills_a_role(manager):
    ann, ben, cat = member("ann"), member("ben"), member("cat", "qa")
    rules = '[{users: [ann, "user:ben"]}, {user: "role:lead"}]'
    release = start(approval(rules))
    run = run_of(release, "one/step")
    with pytest.raises(NotPermitted, match="Only user:ann, user:ben, role:lead may sign"):
        sign(cat, run)
    planning.fill_role(manager, release, role="lead", user=cat, now=LATER)
    assert sign(cat, run) == "waiting"
    assert sign(ben, run) == "succeeded"
    assert release.participants.filter(user=cat).exists()
    assert release.participants.filter(user=ann).exists()


def test_a_rule_may_name_its_group_by_an_expression_and_that_group_sees_the_release():
    ann, ben = member("ann", "devops"), member("ben", "qa")
    release = start(
        approval('[{group: "${{ inputs.team }}"}, {group: "${{ phase.owners[0] }}"}]'), inputs={"team": "qa"}
    )
    run = run_of(release, "one/step")
    assert release.participants.filter(group__name="qa").exists()
    assert sign(ann, run) == "waiting"
    assert sign(ben, run) == "succeeded"


def test_a_stranger_an_inactive_person_and_nobody_at_all_do_not_sign(stranger):
    ann = member("ann", "qa", active=False)
    run = run_of(start(approval("[{group: qa}]")), "one/step")
    for person in (stranger, ann):
        with pytest.raises(NotPermitted, match="Only qa may sign"):
            sign(person, run)
    with pytest.raises(NotPermitted, match="Only a person"):
        sign(None, run)


def test_who_started_the_release_does_not_sign_unless_two_eyes_are_enough():
    ann = member("ann", "qa")
    run = run_of(start(approval("[{group: qa}]"), by=ann), "one/step")
    for decision in ("approved", "rejected"):
        with pytest.raises(NotPermitted, match="four eyes"):
            sign(ann, run, decision, "because")
    text = approval("[{group: qa}]", four_eyes="false").replace("id: process", "id: two-eyes")
    assert sign(ann, run_of(start(text, by=ann), "one/step")) == "succeeded"


def test_there_is_nothing_to_sign_where_no_approval_is_asked_for():
    ann = member("ann", "devops")
    release = start(approval("[{group: devops}]"))
    sign(ann, run_of(release, "one/step"))
    with pytest.raises(Conflict, match="asks for no sign-off"):
        sign(ann, run_of(release, "one/then"))
    with pytest.raises(InvalidInput, match="no decision"):
        sign(ann, run_of(release, "one/then"), "maybe")


# first: sign (qa) ──> fill ──> tick ──> second: step, not by who signed, or only by them
ELSEWHERE = """
id: elsewhere
phases:
  - id: first
    owners: [group:qa]
    activities:
      - {id: sign, manual: {approval: {rules: [{group: qa}]}}}
      - {id: fill, depends_on: [sign], manual: {form: {a: {type: string}}}}
      - {id: tick, depends_on: [fill], manual: {tasks: [{id: t}]}}
      - {id: say, depends_on: [tick], manual: {instructions: Look.}}
  - id: second
    owners: [group:qa]
    depends_on: [first]
    activities:
      - {id: step, manual: {approval: {rules: [{group: qa}], KEY: [first.sign, first.fill, first.tick, first.say]}}}
"""


def elsewhere(key):
    people = [member(name, "qa") for name in ("ann", "ben", "cat", "dan")]
    release = start(ELSEWHERE.replace("KEY", key))
    sign(people[0], run_of(release, "first/sign"))
    answering.submit_form(people[1], run_of(release, "first/fill"), {"a": "x"}, now=LATER)
    answering.set_task(people[2], run_of(release, "first/tick"), "t", done=True, now=LATER)
    answering.complete_activity(people[3], run_of(release, "first/say"), now=LATER)
    return run_of(release, "second/step"), people


def test_different_from_keeps_out_whoever_acted_there_in_any_way():
    run, people = elsewhere("different_from")
    for person, where in zip(people, ("sign", "fill", "tick", "say"), strict=True):
        with pytest.raises(NotPermitted, match=f"You acted in first.{where}"):
            sign(person, run)
    assert sign(member("eve", "qa"), run) == "succeeded"


def test_same_as_demands_whoever_acted_there():
    run, people = elsewhere("same_as")
    with pytest.raises(NotPermitted, match=r"Only those who acted in first\.sign"):
        sign(member("eve", "qa"), run)
    assert sign(people[1], run) == "succeeded"


# each: [a, b] -> inner: review ──> accept (not by who reviewed this item)
PER_ITEM = """
id: inner
phases:
  - id: p
    owners: [group:qa]
    activities:
      - {id: review, manual: {approval: {rules: [{group: qa}]}}}
      - {id: accept, depends_on: [review], manual: {approval: {rules: [{group: qa}], different_from: [review]}}}
---
id: outer
phases:
  - id: p
    owners: [group:devops]
    activities:
      - {id: review, manual: {approval: {rules: [{group: qa}]}}}
      - {id: each, depends_on: [review], for_each: [a, b], subprocess: {process: inner}}
"""


def test_who_acted_elsewhere_is_looked_for_in_the_same_process_and_item():
    ann, ben, cat = member("ann", "qa"), member("ben", "qa"), member("cat", "qa")
    release = start(PER_ITEM)
    sign(cat, run_of(release, "p/review"))
    sign(ann, run_of(release, "p/each/p/review[0]"))
    sign(ben, run_of(release, "p/each/p/review[1]"))
    with pytest.raises(NotPermitted, match="You acted in review"):
        sign(ann, run_of(release, "p/each/p/accept[0]"))
    assert sign(ben, run_of(release, "p/each/p/accept[0]")) == "succeeded"
    assert sign(cat, run_of(release, "p/each/p/accept[1]")) == "succeeded"
    release.refresh_from_db()
    assert release.state == "succeeded"


def test_owners_of_the_outer_phase_decide_inside_an_item():
    ann, cat = member("ann", "devops"), member("cat", "qa")
    release = start(PER_ITEM)
    sign(cat, run_of(release, "p/review"))
    run = run_of(release, "p/each/p/review[0]")
    reject(cat, run)
    running.ignore_activity(ann, run, now=LATER, reason="it is fine")
    assert states(release)["p/each/p/accept[0]"] == "waiting"


# outer: each [a, b] -> middle (owned by qa) -> inner (owned by security)
DEEP = """
id: inner
phases:
  - {id: q, owners: [group:security], activities: [{id: look, manual: {instructions: Look.}}]}
---
id: middle
phases:
  - {id: p, owners: [group:qa], activities: [{id: call, subprocess: inner}]}
---
id: outer
phases:
  - {id: p, owners: [group:devops], activities: [{id: each, for_each: [a, b], subprocess: middle}]}
"""


@pytest.mark.parametrize("group", ["security", "qa", "devops"])
def test_owners_of_every_phase_around_an_activity_decide_about_it(group):
    run = run_of(start(DEEP), "p/each/p/call/q/look[1]")
    with pytest.raises(NotPermitted):
        answering.complete_activity(member("stranger", "development"), run, now=LATER)
    answering.complete_activity(member("ann", group), run, now=LATER)


# Rejecting ------------------------------------------------------------------------------------------------------------
def test_a_rejection_needs_a_reason_and_holds_the_activity():
    ann = member("ann", "qa")
    run = run_of(start(approval("[{group: qa, count: 2}]")), "one/step")
    for empty in ("", "  "):
        with pytest.raises(InvalidInput, match="needs a reason"):
            reject(ann, run, empty)
    assert reject(ann, run, "the tests are red") == "on_hold"
    assert (run.error, run.outputs) == ("Rejected: the tests are red", {"decision": "rejected"})
    told = Event.objects.get(verb="sign_off.rejected")
    assert (told.reason, told.actor_name) == ("the tests are red", "ann")


def test_who_finds_no_free_place_may_still_reject():
    ann, ben = member("ann", "qa"), member("ben", "qa")
    run = run_of(start(approval("[{group: qa}, {group: devops}]")), "one/step")
    sign(ann, run)
    assert reject(ben, run) == "on_hold"


def test_a_rejection_may_fail_the_activity():
    ann = member("ann", "qa")
    run = run_of(start(approval("[{group: qa}]", on_reject="fail")), "one/step")
    assert reject(ann, run) == "failed"
    run.release.refresh_from_db()
    assert run.release.state == "failed"


def test_a_rejection_may_be_an_answer_like_any_other():
    ann = member("ann", "qa")
    text = approval("[{group: qa}]", on_reject="continue").replace(
        "{approval:", "{form: {a: {type: string}}, approval:"
    )
    run = run_of(start(text), "one/step")
    answering.submit_form(member("dev", "devops"), run, {"a": "x"}, now=LATER)
    assert reject(ann, run) == "succeeded"
    assert run.outputs == {"a": "x", "decision": "rejected"}
    assert states(run.release)["one/then"] == "waiting"


# Bound to what was seen -----------------------------------------------------------------------------------------------
def test_new_answers_make_a_sign_off_void_and_the_trail_names_the_field():
    ann, dev = member("ann", "qa"), member("dev", "devops")
    text = approval("[{group: qa, count: 1}, {group: devops}]").replace(
        "{approval:", "{form: {a: {type: string}, b: {type: string}}, approval:"
    )
    run = run_of(start(text), "one/step")
    answering.submit_form(dev, run, {"a": "x", "b": "y"}, now=LATER)
    sign(ann, run)
    signed = SignOff.objects.get(user=ann)
    assert signed.signed["answers"] == {"a": "x", "b": "y"}
    answering.submit_form(dev, run, {"a": "x", "b": "z"}, now=LATER)
    signed.refresh_from_db()
    assert signed.void_at == LATER
    assert Event.objects.get(verb="sign_off.void").after == {"by": "ann", "changed": ["answers.b"]}
    assert activity_detail(run_of(run.release, "one/step"), ann).changed == {signed.pk: ["answers.b"]}
    assert sign(dev, run) == "waiting"
    assert sign(ann, run) == "succeeded"
    assert SignOff.objects.filter(user=ann).count() == 2


def test_a_new_artifact_makes_a_sign_off_void_when_somebody_acts_next_and_frees_its_place():
    ann, ben, dev = member("ann", "qa"), member("ben", "qa"), member("dev", "devops")
    release = start(approval("[{group: qa}, {group: devops}]"))
    run = run_of(release, "one/step")
    sign(ann, run)
    Artifact.objects.create(release=release, name="image", version="2", at=LATER)
    assert sign(dev, run) == "waiting"
    assert Event.objects.get(verb="sign_off.void").after == {"by": "ann", "changed": ["artifacts"]}
    assert sign(ben, run) == "succeeded"


def test_who_signed_what_has_changed_makes_room_for_somebody_else():
    ann, ben = member("ann", "qa"), member("ben", "qa")
    release = start(approval("[{group: qa}, {group: devops}]"))
    run = run_of(release, "one/step")
    sign(ann, run)
    Artifact.objects.create(release=release, name="image", version="2", at=LATER)
    assert sign(ben, run) == "waiting"
    assert list(SignOff.objects.filter(void_at=None).values_list("user_name", flat=True)) == ["ben"]
