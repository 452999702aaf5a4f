"""Why a release has not started: its plan, who may start it, and what was found to stand in its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from processes.models import Process
from releases.findings import Finding
from releases.models import Release, ReleaseGroup
from releases.reading import ReleaseBlocked, release_blocked
from tests.builders import MONDAY
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def planned(**more: Any) -> Release:
    process, _ = Process.objects.get_or_create(slug="process", defaults={"name": "Process"})
    facts = {"process": process, "name": "R", "created_at": MONDAY, "state": "scheduled", **more}
    return Release.objects.create(**facts)


def why(release: Release) -> ReleaseBlocked:
    return release_blocked(None, release, now=MONDAY)


def kinds(found: ReleaseBlocked) -> list[str]:
    return [link.kind for link in found.links]


def findings(*found: Finding) -> list[dict[str, Any]]:
    return [one.as_json() for one in found]


def test_a_scheduled_release_waits_for_its_planned_start():
    found = why(planned(planned_start_at=MONDAY + HOUR, next_try_at=MONDAY + HOUR))
    assert [(link.kind, link.until) for link in found.links] == [("planned_start", MONDAY + HOUR)]
    assert (found.earliest_at, found.hangs_on) == (MONDAY + HOUR, "")


def test_one_whose_time_has_come_says_when_it_is_tried_again():
    found = why(planned(planned_start_at=MONDAY - HOUR, next_try_at=MONDAY + HOUR))
    assert [(link.kind, link.until) for link in found.links] == [("next_try", MONDAY + HOUR)]
    assert why(planned(planned_start_at=MONDAY - HOUR, next_try_at=MONDAY)).earliest_at == MONDAY


def test_what_stops_it_is_a_link_and_what_only_disturbs_it_is_none():
    until = MONDAY + 5 * HOUR
    release = planned(
        planned_start_at=MONDAY + HOUR,
        findings=findings(
            Finding("freeze", "The freeze Year end is on.", "Ask for an exception.", until=until, who=("group:ops",)),
            Finding("conflict", "Ann is busy elsewhere.", stops=False),
        ),
    )
    found = why(release)
    assert kinds(found) == ["planned_start", "freeze"]
    freeze = found.links[1]
    assert (freeze.until, freeze.who) == (until, ("group:ops",))
    assert freeze.words == "The freeze Year end is on. Ask for an exception."
    assert found.earliest_at == until


def test_what_has_no_end_of_its_own_leaves_the_earliest_start_open():
    other = f"R-{planned(state='running', started_at=MONDAY).pk}"
    held = Finding("resource", "The resource cart is held by another.", path=other, who=("group:ops",))
    found = why(planned(planned_start_at=MONDAY + HOUR, findings=findings(held)))
    assert (kinds(found), found.earliest_at) == (["planned_start", "resource"], None)
    assert found.hangs_on == "It hangs on resource (ops)."
    assert found.links[1].path == other


def test_a_finding_takes_the_place_of_a_link_of_the_same_kind():
    again = findings(Finding("planned_start", "It is not time yet.", until=MONDAY + 2 * HOUR))
    found = why(planned(planned_start_at=MONDAY + HOUR, findings=again))
    assert [(link.kind, link.until) for link in found.links] == [("planned_start", MONDAY + 2 * HOUR)]


def test_a_group_that_starts_nothing_by_itself_names_those_who_may(manager):
    process, _ = Process.objects.get_or_create(slug="process", defaults={"name": "Process"})
    group = ReleaseGroup.objects.create(slug="train", name="Train", process=process, body={"auto_start": False})
    ann, ben = member("ann", "starters"), member("ben")
    assign_perm("processes.start_process", ann.groups.get(), process)
    assign_perm("releases.operate_releasegroup", ben, group)
    member("gone", active=False).user_permissions.add(Permission.objects.get(codename="add_release"))
    found = why(planned(group=group, planned_start_at=MONDAY))
    assert kinds(found) == ["no_auto_start"]
    assert found.links[0].who == ("group:starters", "user:ben", "user:manager")
    assert (found.earliest_at, found.hangs_on) == (None, "It hangs on starters, ben or manager.")


def test_a_draft_waits_for_whoever_may_start_it(manager):
    found = why(planned(state="draft"))
    assert [(link.kind, link.who) for link in found.links] == [("draft", ("user:manager",))]
    assert found.links[0].words == "It is a draft until manager schedules or starts it."
    assert why(planned(state="draft", findings=findings(Finding("draft", "It is a draft.")))).links[0].who == ()


@pytest.mark.parametrize(("state", "reason"), [("missed", "Its deadline was 11:00."), ("cancelled", "not now")])
def test_one_that_was_missed_or_called_off_says_why(state, reason):
    found = why(planned(state=state, reason=reason))
    assert kinds(found) == [state]
    assert found.links[0].words == f"It was {state}: {reason.removesuffix('.')}. Schedule it again to go on."


def test_it_takes_the_same_queries_whatever_stands_in_the_way(django_assert_num_queries):
    many = [Finding("inputs", f"Input {number} is missing.", path=f"inputs.{number}") for number in range(50)]
    for found in ([], many):
        release = planned(findings=findings(*found))
        with django_assert_num_queries(2):
            assert len(why(release).links) == len(found)
