"""Two at the same moment, on real connections: exactly one effect, and a clear answer for the other."""

from __future__ import annotations

import random
from datetime import timedelta
from threading import Thread

import pytest
from django.db import OperationalError, connection
from guardian.shortcuts import assign_perm

from activities.runners import Outcome
from config.errors import Conflict, PilothouseError
from config.models import Event
from releases.execution import attempts, lifecycle, tick
from releases.execution.snapshots import snapshot_of
from releases.models import ActivityRun, Release, ReleaseRole, SignOff
from releases.services import answering, planning, running
from tests import fakes
from tests.builders import MONDAY, attempts_of, phase_of, run_of, start, states, work
from tests.crowd import member
from tests.messages import drain
from tests.together import at_once
from tests.trail import fold, stored

pytestmark = pytest.mark.django_db(transaction=True)

# one: a, b ──> join      two: sign (qa x 2)
TEXT = """
id: process
roles: {lead: {group: qa}}
phases:
  - id: one
    owners: [group:qa]
    activities:
      - {id: a, automated: {connection: scripted, pipeline: a}}
      - {id: b, automated: {connection: scripted, pipeline: b}}
      - {id: join, depends_on: [a, b], automated: {connection: scripted, pipeline: join}}
  - id: two
    owners: [group:qa]
    activities:
      - {id: sign, manual: {approval: {rules: [{group: qa, count: COUNT}]}}}
      - {id: tick, manual: {tasks: [{id: t}]}}
      - {id: call, signal: {}}
"""


@pytest.fixture
def people(db):
    drain()
    return [member(name, "qa") for name in ("ann", "ben")]


@pytest.fixture
def release(engine, people):
    return start(TEXT.replace("COUNT", "1"))


def sorted_out(answers):
    """Return the sentence of the one Conflict among the answers."""
    (refused,) = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refused, Conflict)
    return refused.message


def told(verb, **more):
    return Event.objects.filter(verb=verb, **more).count()


def held(release, engine, path="one/a"):
    engine.script[path.rpartition("/")[2]] = [fakes.failed()]
    run = run_of(release, path)
    attempts.carry_out(release.pk, run.pk, 1)
    assert states(release)[path] == "on_hold"
    return run


def test_two_people_press_retry_at_once(release, engine, people):
    run = held(release, engine)
    answers = at_once(
        release.pk,
        lambda: running.retry_activity(people[0], run, now=MONDAY),
        lambda: running.retry_activity(people[1], run, now=MONDAY),
    )
    assert sorted_out(answers) == "The activity is queued, not on hold."
    run.refresh_from_db()
    assert (run.state, run.attempt, told("activity.retried")) == ("queued", 2, 1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_ignores_and_the_other_retries_at_once(release, engine, people, order):
    run = held(release, engine)
    acts = [
        lambda: running.ignore_activity(people[0], run, now=MONDAY, reason="fine"),
        lambda: running.retry_activity(people[1], run, now=MONDAY),
    ]
    sentence = sorted_out(at_once(release.pk, *(acts[place] for place in order)))
    state = states(release)["one/a"]
    assert (state, sentence) in [
        ("ignored", "The activity is ignored, not on hold."),
        ("queued", "The activity is queued, not on hold."),
    ]
    assert told("activity.ignored") + told("activity.retried") == 1


def test_two_people_sign_the_one_place_at_once(release, people):
    run = run_of(release, "two/sign")
    answers = at_once(
        release.pk,
        lambda: answering.sign_off(people[0], run, decision="approved", now=MONDAY),
        lambda: answering.sign_off(people[1], run, decision="approved", now=MONDAY),
    )
    assert sorted_out(answers) == "The activity is succeeded; it does not wait for you."
    assert (SignOff.objects.count(), told("sign_off.approved")) == (1, 1)
    assert told("activity.succeeded", subject_id=run.pk) == 1


def test_two_people_sign_two_places_at_once(engine, people):
    run = run_of(start(TEXT.replace("COUNT", "2")), "two/sign")
    answers = at_once(
        run.release_id,
        lambda: answering.sign_off(people[0], run, decision="approved", now=MONDAY),
        lambda: answering.sign_off(people[1], run, decision="approved", now=MONDAY),
    )
    assert answers == [None, None]
    run.refresh_from_db()
    assert (run.state, SignOff.objects.count()) == ("succeeded", 2)
    assert told("activity.succeeded", subject_id=run.pk) == 1


def test_one_person_signs_twice_at_once(engine, people):
    run = run_of(start(TEXT.replace("COUNT", "2")), "two/sign")
    sign = [lambda: answering.sign_off(people[0], run, decision="approved", now=MONDAY)] * 2
    assert sorted_out(at_once(run.release_id, *sign)) == "You have already signed this activity."
    assert SignOff.objects.count() == 1


def test_one_approves_and_the_other_rejects_at_once(release, people):
    run = run_of(release, "two/sign")
    answers = at_once(
        release.pk,
        lambda: answering.sign_off(people[0], run, decision="approved", now=MONDAY),
        lambda: answering.sign_off(people[1], run, decision="rejected", comment="no", now=MONDAY),
    )
    state = states(release)["two/sign"].replace("_", " ")
    assert sorted_out(answers) == f"The activity is {state}; it does not wait for you."
    assert SignOff.objects.count() == 1


def test_a_task_is_ticked_and_a_signal_sent_twice_at_once(release, people):
    ticked, call = run_of(release, "two/tick"), run_of(release, "two/call")
    tick_it = [lambda: answering.set_task(people[0], ticked, "t", done=True, now=MONDAY)] * 2
    assert "does not wait for you" in sorted_out(at_once(release.pk, *tick_it))
    send = [lambda: answering.send_signal(people[0], call, {}, now=MONDAY)] * 2
    assert "does not wait for you" in sorted_out(at_once(release.pk, *send))
    assert (told("task.done"), told("signal.received")) == (1, 1)


def test_two_start_the_same_release_at_once(release, people):
    draft = Release.objects.create(process=release.process, revision=release.revision, name="Next", created_at=MONDAY)
    snapshot, _ = snapshot_of(release.snapshot.tree)
    columns = {"revision": release.revision, "inputs": {}, "sources": {}, "values": {}}
    begin = [
        lambda person=person: lifecycle.begin(
            draft.pk, actor=person, now=MONDAY, snapshot_id=snapshot.pk, columns=columns
        )
        for person in people
    ]
    assert sorted_out(at_once(draft.pk, *begin)) == "The release is running; only a draft or scheduled one starts."
    assert told("release.started", release_id=draft.pk) == 1
    assert ActivityRun.objects.filter(release=draft).count() == 6


def test_two_workers_claim_the_same_attempt_at_once(release, engine):
    run = run_of(release, "one/a")
    claim = [lambda: attempts.claim(release.pk, run.pk, 1, now=MONDAY)] * 2
    answers = at_once(release.pk, *claim)
    assert sorted(answer is None for answer in answers) == [False, True]
    assert (attempts_of(run), told("activity.started", subject_id=run.pk)) == (["running"], 1)


def test_a_result_is_recorded_twice_at_once(release, engine):
    run = run_of(release, "one/a")
    claimed = attempts.claim(release.pk, run.pk, 1, now=MONDAY)
    assert claimed is not None
    record = [lambda: attempts.record(claimed, Outcome("succeeded", outputs={"x": "1"}), now=MONDAY)] * 2
    assert at_once(release.pk, *record) == [None, None]
    run.refresh_from_db()
    assert (run.state, told("activity.succeeded", subject_id=run.pk)) == ("succeeded", 1)


def test_two_branches_end_at_once_and_what_needs_both_opens_once(release, engine):
    runs = [run_of(release, path) for path in ("one/a", "one/b")]
    claims = [attempts.claim(release.pk, run.pk, 1, now=MONDAY) for run in runs]
    record = [lambda one=one: attempts.record(one, Outcome("succeeded"), now=MONDAY) for one in claims]
    drain()
    assert at_once(release.pk, *record) == [None, None]
    join = run_of(release, "one/join")
    assert (join.state, join.attempt, told("activity.queued", subject_id=join.pk)) == ("queued", 1, 1)
    assert drain() == [("start", (release.pk, join.pk, 1))]


@pytest.mark.parametrize("first", ["abort", "result"])
def test_a_result_comes_while_somebody_aborts(release, engine, admin, first):
    run = run_of(release, "one/a")
    claimed = attempts.claim(release.pk, run.pk, 1, now=MONDAY)
    assert claimed is not None
    acts = {
        "abort": lambda: running.abort_release(admin, release, now=MONDAY, reason="stop"),
        "result": lambda: attempts.record(claimed, Outcome("succeeded"), now=MONDAY),
    }
    names = [first, *(name for name in acts if name != first)]
    assert at_once(release.pk, *(acts[name] for name in names)) == [None, None]
    release.refresh_from_db()
    run.refresh_from_db()
    assert (release.state, told("release.aborted")) == ("aborted", 1)
    assert run.state == ("aborted" if first == "abort" else "succeeded")
    assert told("activity.succeeded") + told("activity.aborted", subject_id=run.pk) == 1
    assert run.attempts.get().cancel_at == (MONDAY if first == "abort" else None)


def test_a_late_result_of_the_first_attempt_does_not_settle_the_second(release, engine, people):
    run = run_of(release, "one/a")
    first = attempts.claim(release.pk, run.pk, 1, now=MONDAY)
    assert first is not None
    attempts.record(first, fakes.failed(), now=MONDAY)
    answers = at_once(
        release.pk,
        lambda: running.retry_activity(people[0], run, now=MONDAY),
        lambda: attempts.record(first, Outcome("succeeded"), now=MONDAY),
    )
    assert answers == [None, None]
    second = attempts.claim(release.pk, run.pk, 2, now=MONDAY)
    assert second is not None
    assert attempts.record(first, Outcome("succeeded"), now=MONDAY) is None
    run.refresh_from_db()
    assert (run.state, attempts_of(run), told("activity.succeeded")) == ("running", ["failed", "running"], 0)


def test_a_pause_and_a_claim_at_once_never_start_work_in_a_paused_release(release, engine, admin):
    run = run_of(release, "one/a")
    pause, claimed = at_once(
        release.pk,
        lambda: running.pause_release(admin, release, now=MONDAY),
        lambda: attempts.claim(release.pk, run.pk, 1, now=MONDAY),
    )
    assert pause is None
    run.refresh_from_db()
    order = list(Event.objects.filter(verb__in=["release.paused", "activity.started"]).values_list("verb", flat=True))
    assert (claimed is None, run.state, order) in [
        (True, "queued", ["release.paused"]),
        (False, "running", ["activity.started", "release.paused"]),
    ]


def test_two_edit_the_plan_at_once(release, people):
    draft = Release.objects.create(process=release.process, name="Next", created_at=MONDAY)
    for person in people:
        assign_perm("processes.operate_process", person, release.process)
    edit = [
        lambda name=name: planning.edit_release(people[0], draft, {"name": name}, now=MONDAY, expected=1)
        for name in ("x", "y")
    ]
    answers = at_once(draft.pk, *edit)
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [Conflict]
    assert told("release.edited") == 1
    fill = [
        lambda user=user: planning.fill_role(people[0], release, role="lead", user=user, now=MONDAY) for user in people
    ]
    assert at_once(release.pk, *fill) == [None, None]
    assert (ReleaseRole.objects.count(), told("role.filled")) == (1, 2)


def test_two_ticks_at_once_send_each_message_once(release, engine):
    later = MONDAY + timedelta(minutes=5)
    drain()

    def tick_once() -> None:
        tick.tick(now=later)
        connection.close()

    threads = [Thread(target=tick_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    sent = drain()
    assert sorted(sent) == sorted(set(sent))
    runs = {run_of(release, path).pk for path in ("one/a", "one/b")}
    assert {arguments[1] for verb, arguments in sent if verb != "tell"} == runs
    assert [verb for verb, _ in sent].count("tell") <= len(runs)


def buttons(run, person, admin):
    """Return everything that the crowd may do with an activity, as workers and as people."""
    return [
        lambda: attempts.carry_out(run.release_id, run.pk, run.attempt),
        lambda: attempts.look(run.release_id, run.pk, run.attempt),
        lambda: running.retry_activity(person, run, now=MONDAY),
        lambda: running.ignore_activity(person, run, now=MONDAY, reason="x"),
        lambda: answering.sign_off(person, run, decision="approved", now=MONDAY),
        lambda: answering.set_task(person, run, "t", done=True, now=MONDAY),
        lambda: running.restart_phase(admin, phase_of(run.release, "one"), now=MONDAY, reason="x"),
        lambda: running.pause_release(admin, run.release, now=MONDAY),
        lambda: running.resume_release(admin, run.release, now=MONDAY),
        lambda: tick.tick(now=MONDAY + timedelta(hours=1)),
    ]


def test_a_crowd_that_presses_everything_ends_in_good_order(engine, people, admin):
    releases = [start(TEXT.replace("COUNT", "2")) for _ in range(2)]
    surprises: list[BaseException] = []

    def press(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            release = chance.choice(releases)
            run = chance.choice(list(ActivityRun.objects.filter(release=release)))
            engine.script[run.slug] = [chance.choice([fakes.failed(), Outcome("succeeded"), fakes.running("1")])]
            try:
                chance.choice(buttons(run, chance.choice(people), admin))()
            except PilothouseError:
                continue
            except BaseException as error:  # noqa: BLE001 - whatever is no answer for a person is a surprise
                surprises.append(error)
        connection.close()

    threads = [Thread(target=press, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(isinstance(error, OperationalError) for error in surprises), surprises  # no deadlock
    assert surprises == []
    engine.script.clear()
    for release in releases:
        finish(release, people, admin)
        assert release.state in ("succeeded", "partially_succeeded")
        assert fold(release) == stored(release)


def finish(release, people, admin):
    """Bring a release in whatever state to its end."""
    release.refresh_from_db()
    if release.state == "paused":
        running.resume_release(admin, release, now=MONDAY)
    for _ in range(6):
        for run in ActivityRun.objects.filter(release=release):
            if run.state == "on_hold":
                running.retry_activity(admin, run, now=MONDAY)
            elif run.state == "running":
                attempts.look(release.pk, run.pk, run.attempt)
            elif run.state == "waiting":
                answer(run, people)
        work(release)


def answer(run, people):
    if run.slug == "call":
        answering.send_signal(people[0], run, {}, now=MONDAY)
    elif run.slug == "tick":
        answering.set_task(people[0], run, "t", done=True, now=MONDAY)
    else:
        for person in people:
            if not run.sign_offs.filter(user=person, attempt=run.attempt, void_at=None).exists():
                answering.sign_off(person, run, decision="approved", now=MONDAY)
