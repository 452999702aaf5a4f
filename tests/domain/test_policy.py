"""Who may see, start, plan, operate, decide, answer and sign, by every kind of permission."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from guardian.shortcuts import assign_perm

from config.errors import InvalidInput, NotFound, NotPermitted
from config.permissions import keeping
from processes.models import Process
from releases import policy
from releases.models import ActivityRun, Release, ReleaseGroup
from releases.services import answering, planning, running, starting
from tests.builders import MONDAY, phase_of, process_of, run_of, start
from tests.crowd import member

pytestmark = pytest.mark.django_db

# one (development's): ask ──> held (fails) ; two (security's, needs one)
TEXT = """
id: process
inputs: {n: {type: integer, default: 0}}
phases:
  - id: one
    owners: [group:development]
    activities:
      - {id: ask, manual: {tasks: [{id: t, groups: [devops]}], approval: {rules: [{user: ann}]}}}
      - {id: held, wait: "${{ string(inputs.n / 0) }}"}
      - {id: call, signal: {}}
  - id: two
    owners: ["user:eve"]
    depends_on: [one]
    activities: [{id: last, manual: {instructions: Look.}}]
"""
ANYBODY = AnonymousUser()


@pytest.fixture
def release(groups):
    for name in ("ann", "eve"):
        member(name)
    found = start(TEXT, inputs={"n": 1})
    assert found.snapshot is not None
    starting.take_part(found, found.snapshot.tree)
    assert run_of(found, "one/held").state == "on_hold"
    return found


@pytest.fixture
def group(release):
    made = ReleaseGroup.objects.create(slug="train", name="Train", process=release.process)
    release.group = made
    release.save(update_fields=["group"])
    return made


def may(actor, release):
    """Return everything `actor` may do with the release, by asking the policy: in a request and outside of one."""
    outside = verdicts_of(actor, release)
    with keeping():
        assert verdicts_of(actor, release) == outside
    return outside


def verdicts_of(actor, release):
    run = run_of(release, "one/held")
    sees = policy.visible_releases(actor).filter(pk=release.pk).exists()
    runs = ActivityRun.objects.filter(release__in=policy.visible_releases(actor), pk=run.pk)
    assert policy.may_see(actor, release) == sees == runs.exists()
    verdicts = {
        "see": sees,
        "start": policy.may_start(actor, release.process, release.group),
        "plan": policy.may_plan(actor, release),
        "operate": policy.may_operate(actor, release),
        "decide": policy.may_decide(actor, run),
    }
    return {verb for verb, verdict in verdicts.items() if verdict}


ALL = {"see", "start", "plan", "operate", "decide"}


# The cast -------------------------------------------------------------------------------------------------------------
def test_what_each_of_the_cast_may(release, author, owner, manager, stranger, admin):
    assert may(author, release) == ALL  # holds every permission of processes
    assert may(owner, release) == {"see", "decide"}
    assert may(manager, release) == ALL
    assert may(admin, release) == ALL
    assert may(None, release) == ALL  # the machine itself
    assert may(stranger, release) == set()
    assert may(ANYBODY, release) == set()


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("development", {"see", "decide"}),
        ("devops", {"see"}),
        ("qa", set()),
    ],
)
def test_owners_decide_and_those_who_are_asked_see(release, who, expected):
    assert may(member("dan", who), release) == expected


def test_approvers_see_and_owners_of_another_phase_decide_there_only(release):
    assert may(member("ann"), release) == {"see"}
    eve = member("eve")
    assert may(eve, release) == {"see"}
    assert policy.may_decide(eve, run_of(release, "two/last"))
    assert not policy.owns(eve, phase_of(release, "one"))


def test_an_inactive_person_may_nothing_whatever_they_held(release, owner, manager, admin):
    for person in (owner, manager, admin):
        person.is_active = False
        person.save()
        assert may(person, release) == set()


# Every way to hold a permission ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("through", ["person", "group"])
@pytest.mark.parametrize("wide", ["model", "object"])
@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ("releases.view_release", {"see"}),
        ("releases.operate_release", {"see", "plan", "operate", "decide"}),
        ("releases.view_releasegroup", {"see"}),
        ("releases.operate_releasegroup", ALL),
        ("processes.start_process", {"see", "start"}),
        ("processes.operate_process", {"see", "plan", "operate", "decide"}),
        ("processes.view_process", set()),
    ],
)
def test_a_permission_counts_model_wide_and_on_the_object_for_people_and_groups(
    release, group, stranger, through, wide, permission, expected
):
    app, _, codename = permission.partition(".")
    thing = {"release": release, "releasegroup": group, "process": release.process}[codename.partition("_")[2]]
    holder = Group.objects.create(name="holders")
    stranger.groups.add(holder)
    whom = stranger if through == "person" else holder
    if wide == "object":
        assign_perm(permission, whom, thing)
    else:
        found = Permission.objects.get(content_type__app_label=app, codename=codename)
        (stranger.user_permissions if through == "person" else holder.permissions).add(found)
    assert may(User.objects.get(pk=stranger.pk), release) == expected


@pytest.mark.parametrize("permission", ["releases.operate_release", "processes.operate_process"])
def test_a_permission_on_something_else_is_worth_nothing_here(release, stranger, permission):
    other = Process.objects.create(slug="other", name="Other")
    elsewhere = Release.objects.create(process=other, name="Elsewhere", created_at=MONDAY)
    assign_perm(permission, stranger, other if "process" in permission else elsewhere)
    assert may(stranger, release) == set()
    assert list(policy.visible_releases(stranger)) == [elsewhere]


def test_everybody_sees_each_release_once_in_few_queries(release, owner, django_assert_max_num_queries):
    owner.groups.add(*Group.objects.all())
    with django_assert_max_num_queries(8):
        assert list(policy.visible_releases(owner)) == [release]


# Who made it ----------------------------------------------------------------------------------------------------------
def test_who_made_a_release_plans_it_as_long_as_they_may_start_it(groups, stranger):
    process, _, _ = process_of(TEXT)
    assign_perm("processes.start_process", stranger, process)
    release = planning.create_release(stranger, process=process, name="Mine", now=MONDAY)
    planning.edit_release(stranger, release, {"name": "Still mine"}, now=MONDAY)
    other = member("other")
    assign_perm("processes.start_process", other, process)
    with pytest.raises(NotPermitted):
        planning.edit_release(other, release, {"name": "Not yours"}, now=MONDAY)
    process.processuserpermission_set.all().delete()
    stranger = User.objects.get(pk=stranger.pk)
    assert policy.visible_releases(stranger).exists()
    with pytest.raises(NotPermitted):
        planning.edit_release(stranger, release, {"name": "No more"}, now=MONDAY)


def test_nobody_plans_what_the_machine_has_made(groups):
    process, _, _ = process_of(TEXT)
    release = Release.objects.create(process=process, name="Occurrence", created_at=MONDAY)
    with pytest.raises(NotPermitted):
        planning.edit_release(ANYBODY, release, {"name": "x"}, now=MONDAY)


# Every verb -----------------------------------------------------------------------------------------------------------
def verbs(release):
    held, ask = run_of(release, "one/held"), run_of(release, "one/ask")
    phase, person = phase_of(release, "one"), member("somebody")
    return {
        "create": lambda a: planning.create_release(a, process=release.process, name="x", now=MONDAY),
        "edit": lambda a: planning.edit_release(a, release, {"name": "x"}, now=MONDAY),
        "schedule": lambda a: planning.schedule_release(a, release, now=MONDAY),
        "cancel": lambda a: planning.cancel_release(a, release, reason="x", now=MONDAY),
        "fill": lambda a: planning.fill_role(a, release, role="x", user=person, now=MONDAY),
        "start": lambda a: starting.start_release(a, release, now=MONDAY),
        "pause": lambda a: running.pause_release(a, release, now=MONDAY),
        "resume": lambda a: running.resume_release(a, release, now=MONDAY),
        "abort": lambda a: running.abort_release(a, release, reason="x", now=MONDAY),
        "restart": lambda a: running.restart_phase(a, phase, now=MONDAY),
        "retry": lambda a: running.retry_activity(a, held, now=MONDAY),
        "ignore": lambda a: running.ignore_activity(a, held, reason="x", now=MONDAY),
        "fail": lambda a: running.fail_activity(a, held, now=MONDAY),
        "replace": lambda a: running.replace_activity(a, held, process=release.process, now=MONDAY),
        "task": lambda a: answering.set_task(a, ask, "t", done=True, now=MONDAY),
        "form": lambda a: answering.submit_form(a, ask, {}, now=MONDAY),
        "complete": lambda a: answering.complete_activity(a, ask, now=MONDAY),
        "sign": lambda a: answering.sign_off(a, ask, decision="approved", now=MONDAY),
        "signal": lambda a: answering.send_signal(a, run_of(release, "one/call"), {}, now=MONDAY),
        "comment": lambda a: answering.add_comment(a, ask, "x", now=MONDAY),
        "evidence": lambda a: answering.add_evidence(a, ask, name="x", content=b"x", now=MONDAY),
    }


def test_a_stranger_and_somebody_who_is_not_signed_in_have_no_verb_at_all(release, stranger):
    for actor in (stranger, ANYBODY):
        for name, verb in verbs(release).items():
            with pytest.raises((NotPermitted, NotFound)):
                pytest.fail(f"{actor} may {name}: {verb(actor)}")


def test_an_assignee_does_their_task_and_nothing_else(release):
    dev = member("dev", "devops")
    allowed = {"task", "form", "complete", "comment", "evidence"}  # what is handed in may come from whom a task is for
    for name, verb in verbs(release).items():
        if name not in allowed:
            with pytest.raises(NotPermitted):
                pytest.fail(f"may {name}: {verb(dev)}")
    verbs(release)["task"](dev)


def test_an_owner_runs_only_processes_they_may_start_in_place_of_what_is_on_hold(release, owner):
    held = run_of(release, "one/held")
    with pytest.raises(NotPermitted, match="start releases of"):
        running.replace_activity(owner, held, process=release.process, now=MONDAY)
    assign_perm("processes.start_process", owner, release.process)
    owner = User.objects.get(pk=owner.pk)
    running.replace_activity(owner, held, process=release.process, now=MONDAY)


@pytest.mark.parametrize("verb", ["abort", "ignore"])
def test_a_reason_is_required_where_the_trail_must_tell_why(release, admin, verb):
    run = run_of(release, "one/held")
    acts = {
        "abort": lambda reason: running.abort_release(admin, release, reason=reason, now=MONDAY),
        "ignore": lambda reason: running.ignore_activity(admin, run, reason=reason, now=MONDAY),
    }
    for odd in ("", " \n", "x" * 10_001, "nul \x00"):
        with pytest.raises(InvalidInput) as caught:
            acts[verb](odd)
        assert [fault.path for fault in caught.value.faults] == ["reason"]
