"""Lists: a page at a time, filtered, in as few queries for many rows as for one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.models import Activity, Connection, Secret
from config.models import ApiToken, Event
from processes.models import InputSet, Process, Resource
from releases.models import ActivityRun, PhaseRun, Release, ReleaseGroup
from tests.builders import MONDAY, start
from tests.edges.calls import Caller, all_pages

pytestmark = pytest.mark.django_db

# plan(sign) and, for each of many items, one more run
TREE = """
id: {slug}
phases:
  - id: plan
    name: Plan
    owners: [group:qa]
    activities:
      - {{id: sign, manual: {{tasks: [{{id: look, name: Look, groups: [qa]}}]}}}}
      - {{id: each, for_each: "${{{{ {items} }}}}", manual: {{instructions: Look.}}}}
"""


def queries(caller: Caller, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = caller.get(address)
    assert answer.status == 200, answer
    return len(seen)


def plant(number: int, user: User) -> Process:
    """`number` of everything that has a list."""
    processes = [Process(slug=f"p-{at}", name=f"P {at}") for at in range(number)]
    Process.objects.bulk_create(processes)
    groups = [ReleaseGroup(slug=f"g-{at}", name="G", process=one) for at, one in enumerate(processes)]
    ReleaseGroup.objects.bulk_create(groups)
    sets = [InputSet(slug=f"s-{at}", name="S", process=one) for at, one in enumerate(processes)]
    InputSet.objects.bulk_create(sets)
    Resource.objects.bulk_create(Resource(slug=f"r-{at}", name="R", type="service") for at in range(number))
    Activity.objects.bulk_create(Activity(slug=f"a-{at}", name="A", kind="manual", draft={}) for at in range(number))
    secret_rows = [Secret(name=f"k-{at}", ciphertext=b"", updated_at=MONDAY, updated_by=user) for at in range(number)]
    Secret.objects.bulk_create(secret_rows)
    Connection.objects.bulk_create(
        Connection(slug=f"c-{at}", name="C", provider="local", secret=one) for at, one in enumerate(secret_rows)
    )
    Release.objects.bulk_create(
        Release(process=p, group=g, input_set=s, name="R", created_at=MONDAY)
        for p, g, s in zip(processes, groups, sets, strict=True)
    )
    ApiToken.objects.bulk_create(
        ApiToken(user=user, name="T", prefix="p", digest=str(at), scopes=["read"], created_at=MONDAY)
        for at in range(number)
    )
    event: dict[str, Any] = {"at": MONDAY, "actor": user, "actor_name": "x", "verb": "x.y", "subject_type": "x"}
    Event.objects.bulk_create(Event(**event, subject_name="x") for _ in range(number))
    return processes[0]


LISTS = [
    "activities/", "connections/", "secrets/", "processes/", "input-sets/", "resources/", "release-groups/",
    "releases/", "tokens/", "events/",
]  # fmt: skip


def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_one(admin: User, manager: User) -> None:
    caller = Caller(admin)
    plant(50, admin)
    for address in LISTS:
        one, fifty = queries(caller, f"{address}?page_size=1"), queries(caller, f"{address}?page_size=50")
        assert one == fifty <= 6, address


def test_a_tree_and_its_events_take_as_many_queries_for_fifty_items_as_for_one(admin: User) -> None:
    caller = Caller(admin)
    counts = []
    for slug, number in (("few", 1), ("many", 50)):
        release = start(TREE.format(slug=slug, items=list(range(number))))
        sign = ActivityRun.objects.get(release=release, slug="sign").pk
        phase = PhaseRun.objects.get(release=release).pk
        addresses = [f"releases/{release.pk}/", f"releases/{release.pk}/tree/", f"releases/{release.pk}/events/"]
        addresses += [f"activity-runs/{sign}/", f"phase-runs/{phase}/"]
        [caller.get(address) for address in addresses]
        counts.append([queries(caller, address) for address in addresses])
    assert counts[0] == counts[1]
    assert counts[0][1] <= 6
    tree = caller.get(addresses[1])
    each = next(run for run in tree["phases"][0]["activities"] if run["slug"] == "each")
    assert [item["path"] for item in each["items"]] == [f"plan/each[{at}]" for at in range(50)]
    assert tree["health"] == "waiting"


@pytest.mark.parametrize("address", LISTS)
def test_pages_show_every_row_once(address: str, admin: User) -> None:
    plant(7, admin)
    caller = Caller(admin)
    whole = caller.get(f"{address}?page_size=200")["results"]
    assert all_pages(caller, f"{address}?page_size=3") == whole
    assert len(whole) >= 7
    second = caller.get(caller.get(f"{address}?page_size=3")["next"].removeprefix("http://testserver"))
    back = caller.get(second["previous"].removeprefix("http://testserver"))
    assert back["results"] == whole[:3]


def test_a_row_that_comes_while_one_turns_pages_shifts_nothing(admin: User) -> None:
    process = plant(6, admin)
    caller = Caller(admin)
    first = caller.get("releases/?page_size=3")
    Release.objects.create(process=process, name="late", created_at=MONDAY)
    second = caller.get(first["next"].removeprefix("http://testserver"))
    ids = [one["id"] for one in (*first["results"], *second["results"])]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 6


def test_releases_are_found_by_state_process_group_text_and_time(admin: User) -> None:
    process = plant(3, admin)
    running = start("{id: small, phases: [{id: plan, name: P, activities: [{id: s, manual: {instructions: x}}]}]}")
    Release.objects.create(
        process=process, name="Autumn", version="4.2", state="scheduled", planned_start_at=MONDAY, created_at=MONDAY
    )
    caller = Caller(admin)

    def found(query: str) -> list[str]:
        answer = caller.get(f"releases/?{query}")
        assert answer.status == 200, answer
        return [one["name"] for one in answer["results"]]

    assert found("state=running") == [running.name]
    assert found("state=running&state=scheduled") == ["Autumn", running.name]
    assert found("health=waiting") == [running.name]
    assert found("health=failing") == []
    assert found("process=small") == [running.name]
    assert found("group=g-1") == ["R"]
    assert found("q=autu") == ["Autumn"]
    assert found("q=4.2") == ["Autumn"]
    assert found("planned_after=2026-03-02T09:00:00Z&planned_before=2026-03-02T09:00:01Z") == ["Autumn"]
    assert found("planned_before=2026-03-02T09:00:00Z") == []
    assert found("started_after=2026-03-02T09:00:00%2B00:00") == [running.name]


def test_the_trail_is_searched_by_those_who_may(admin: User, manager: User) -> None:
    release = start(
        "{id: small, phases: [{id: plan, name: P, activities: [{id: s, manual: {instructions: x}}]}]}", by=admin
    )
    caller = Caller(admin)

    def verbs(query: str) -> set[str]:
        return {event["verb"] for event in all_pages(caller, f"events/?{query}")}

    assert verbs("verb=release.started") == {"release.started"}
    assert "activity.waiting" in verbs(f"release={release.pk}&actor=pilothouse") | verbs(f"release={release.pk}")
    assert verbs("subject_type=phaserun&q=plan") == {"phase.started"}
    assert verbs(f"since={(MONDAY + timedelta(days=1)).isoformat().replace('+', '%2B')}") == set()
    assert Caller(manager).get("events/").status == 403
    assert Caller(manager).get(f"releases/{release.pk}/events/").status == 200
