"""Sign-offs that nobody gave in time, and those that a restart asks for again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.errors import Conflict, NotPermitted
from config.models import Event
from releases.services import answering, running
from tests.approvals import approval, reject, sign, wait_until
from tests.builders import MONDAY, phase_of, run_of, start, states
from tests.crowd import member

pytestmark = pytest.mark.django_db

EXPIRES = {"expires_in": "1d"}
TUESDAY = MONDAY + timedelta(days=1)


def test_an_approval_that_nobody_gave_in_time_is_rejected():
    run = run_of(start(approval("[{group: qa}]", **EXPIRES)), "one/step")
    assert run.next_look_at == TUESDAY
    assert wait_until(run, TUESDAY - timedelta(seconds=1)) == "waiting"
    assert wait_until(run, TUESDAY) == "on_hold"
    assert run.error == "Rejected: nobody decided in time"
    assert run_of(run.release, "one/step").next_look_at is None
    assert Event.objects.get(verb="sign_off.expired").after == {"on_expiry": "reject"}


@pytest.mark.parametrize(
    ("on_expiry", "state", "outputs"), [("approve", "succeeded", {"decision": "approved"}), ("skip", "skipped", {})]
)
def test_an_approval_may_count_as_given_or_be_skipped(on_expiry, state, outputs):
    run = run_of(start(approval("[{group: qa}]", on_expiry=on_expiry, **EXPIRES)), "one/step")
    assert wait_until(run, TUESDAY) == state
    assert run.outputs == outputs
    assert states(run.release)["one/then"] == "waiting"


def test_counting_as_approved_answers_no_form():
    ann, dev = member("ann", "qa"), member("dev", "devops")
    text = approval("[{group: qa}]", on_expiry="approve", **EXPIRES)
    run = run_of(start(text.replace("{approval:", "{form: {a: {type: string}}, approval:")), "one/step")
    assert wait_until(run, TUESDAY) == "waiting"
    with pytest.raises(Conflict, match="counts as approved"):
        reject(ann, run)
    answering.submit_form(dev, run, {"a": "x"}, now=TUESDAY)
    run.refresh_from_db()
    assert (run.state, run.outputs) == ("succeeded", {"a": "x", "decision": "approved"})


def test_what_has_been_signed_in_time_does_not_expire_while_the_form_is_open():
    ann, dev = member("ann", "qa"), member("dev", "devops")
    text = approval("[{group: qa}]", four_eyes="false", **EXPIRES)
    run = run_of(start(text.replace("{approval:", "{tasks: [{id: t}], approval:")), "one/step")
    sign(ann, run)
    assert wait_until(run, TUESDAY) == "waiting"
    answering.set_task(dev, run, "t", done=True, now=TUESDAY)
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_an_approval_may_be_escalated_to_a_group_that_helps_out():
    ann, boss = member("ann", "qa"), member("boss", "bosses")
    member("ben", "qa")
    text = approval("[{group: qa, all: true}]", on_expiry="escalate", escalate_to="bosses", **EXPIRES)
    release = start(text)
    run = run_of(release, "one/step")
    sign(ann, run)
    with pytest.raises(NotPermitted):
        sign(boss, run)
    assert wait_until(run, TUESDAY) == "waiting"
    assert run.next_look_at is None
    assert release.participants.filter(group__name="bosses").exists()
    assert sign(boss, run) == "succeeded"


def test_an_escalated_approval_still_times_out():
    text = approval("[{group: qa}]", on_expiry="escalate", escalate_to="bosses", **EXPIRES)
    run = run_of(start(text.replace("{id: step,", "{id: step, timeout: 2d,")), "one/step")
    assert wait_until(run, TUESDAY) == "waiting"
    assert run.next_look_at == MONDAY + timedelta(days=2)
    assert wait_until(run, MONDAY + timedelta(days=2)) == "on_hold"
    assert run.error == "Nobody acted before its timeout."


def test_the_time_to_decide_may_be_an_expression():
    text = approval("[{group: qa}]", expires_in='"${{ inputs.grace }}"')
    run = run_of(start(text, inputs={"grace": "3h"}), "one/step")
    assert run.next_look_at == MONDAY + timedelta(hours=3)


def test_restarting_the_phase_asks_everybody_again(manager):
    ann, ben = member("ann", "qa"), member("ben", "qa")
    release = start(approval("[{group: qa, count: 2}]", **EXPIRES))
    run = run_of(release, "one/step")
    sign(ann, run)
    running.restart_phase(manager, phase_of(release, "one"), now=TUESDAY, reason="new build")
    run.refresh_from_db()
    assert (run.state, run.attempt, run.next_look_at) == ("waiting", 2, TUESDAY + timedelta(days=1))
    assert sign(ben, run) == "waiting"
    assert sign(ann, run) == "succeeded"
