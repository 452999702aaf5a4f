"""Before it starts: everything that would stop a release or disturb it, each with its code."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from activities import secrets
from activities.models import Connection
from config.models import Event
from processes.models import Process, Resource
from processes.services import apply
from releases import bookings
from releases.findings import Finding
from releases.models import (
    BreakGlass,
    Freeze,
    FreezeException,
    FreezeWindow,
    Holiday,
    HolidayCalendar,
    Release,
    ReleaseGroup,
)
from releases.services import planning, starting
from releases.services.checking import check_release, record_findings
from releases.services.preflight import preflight, preflight_many
from tests.builders import MONDAY
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHOP = """
kind: Connection
id: engine
name: Engine
provider: local
---
kind: Resource
id: cart
name: Cart
type: service
exclusive: true
---
kind: Process
id: shop
name: Shop
roles: {lead: {group: release-managers}, closer: {group: qa}}
resources: [cart]
inputs: {version: {type: string, required: true}, key: {type: secret}}
phases:
  - id: plan
    name: Plan
    owners: ["group:qa"]
    activities:
      - {id: agree, manual: {approval: {rules: [{group: qa, count: 1}]}}}
      - {id: build, automated: {connection: engine, pipeline: build, command: [echo]}}
  - id: close
    name: Close
    owners: ["role:closer"]
    depends_on: [plan]
    activities: [{id: thank, tags: [late], manual: {instructions: Thank.}}]
"""


@pytest.fixture
def shop(groups: Any, manager: User, owner: User) -> Process:
    apply(None, SHOP, now=MONDAY, publish=True)
    return Process.objects.get()


def planned(shop: Process, start: float = 24, hours: float = 4, **more: Any) -> Release:
    more.setdefault("given", {"inputs": {"version": "1"}})
    release = planning.create_release(
        None,
        process=shop,
        name="Spring",
        planned_start_at=MONDAY + start * HOUR,
        planned_end_at=MONDAY + (start + hours) * HOUR,
        now=MONDAY,
        **more,
    )
    release = planning.schedule_release(None, release, now=MONDAY)
    bookings.book(release, now=MONDAY)
    return release


def group_of(shop: Process, slug: str = "train", **body: Any) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug=slug, name=slug.title(), process=shop, body=body)


def findings(release: Release) -> dict[str, Finding]:
    release = Release.objects.get(pk=release.pk)
    return {finding.code: finding for finding in preflight(release, now=MONDAY)}


def republish(old: str, new: str) -> None:
    assert old in SHOP
    apply(None, SHOP.replace(old, new), now=MONDAY, publish=True)


def freeze(start: float, hours: float | None, **scope: Any) -> Freeze:
    """A freeze of everything, or of what `scope` says, from so many hours after Monday, nine o'clock."""
    made = Freeze.objects.create(slug="quiet", name="Quiet", body={"scope": scope or {"everything": True}})
    end = None if hours is None else MONDAY + (start + hours) * HOUR
    FreezeWindow.objects.create(freeze=made, starts_at=MONDAY + start * HOUR, ends_at=end)
    return made


def test_a_release_that_lacks_nothing_only_hears_that_a_role_is_open(shop):
    found = findings(planned(shop))
    assert set(found) == {"role_unfilled"}
    assert (found["role_unfilled"].stops, found["role_unfilled"].who) == (False, ("group:qa",))


def test_a_role_that_is_needed_at_once_stops_the_release_until_somebody_fills_it(shop, manager):
    republish('owners: ["group:qa"]', 'owners: ["role:lead"]')
    release = planned(shop)
    found = [one for one in preflight(release, now=MONDAY) if one.code == "role_unfilled"]
    assert [(one.message, one.stops) for one in found] == [
        ("Nobody fills the role 'lead'.", True),
        ("Nobody fills the role 'closer'.", False),
    ]
    planning.fill_role(None, release, role="lead", user=manager, now=MONDAY)
    assert findings(release)["role_unfilled"].stops is False


def test_what_was_never_published_does_not_start(groups):
    process = Process.objects.create(slug="raw", name="Raw")
    release = planning.create_release(None, process=process, name="Spring", now=MONDAY)
    assert [(one.code, one.path) for one in preflight(release, now=MONDAY)] == [("not_published", "raw")]


def test_every_missing_input_and_secret_is_told_by_its_name(shop):
    release = planned(shop, given={"inputs": {"key": {"secret": "gone"}, "colour": "red"}})
    found = [one for one in preflight(release, now=MONDAY) if one.code in ("inputs", "secret_missing")]
    assert [(one.code, one.path, one.stops) for one in found] == [
        ("inputs", "colour", True),
        ("inputs", "version", True),
        ("secret_missing", "gone", True),
    ]


def test_a_connection_that_would_refuse_the_work_is_told(shop, settings):
    release = planned(shop)
    settings.LOCAL_PROVIDER = False
    assert findings(release)["provider_off"].path == "plan/build"
    Connection.objects.update(enabled=False)
    assert findings(release)["connection_disabled"].stops
    Connection.objects.all().delete()
    assert findings(release)["connection_missing"].stops
    republish("{id: build,", "{id: build, required: false,")
    Connection.objects.all().delete()
    assert findings(release)["connection_missing"].stops is False


def test_owners_behind_whom_there_is_nobody_are_told(shop, owner):
    release = planned(shop)
    for name, words in (("user:ann", "no active person 'ann'"), ("group:ghosts", "no group 'ghosts'")):
        republish('owners: ["group:qa"]', f'owners: ["{name}"]')
        found = findings(release)["owners_missing"]
        assert words in found.message
        assert found.path == "plan"
    republish("name: Shop", "name: Shop again")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert "has no active member" in findings(release)["owners_missing"].message


def test_too_few_approvers_are_told_and_whoever_starts_it_does_not_count(shop, owner, manager):
    release = planned(shop)
    assert "approvers_too_few" not in findings(release)
    Release.objects.update(created_by=owner)
    assert "approvers_too_few" not in findings(release), "the machine starts it, so everybody may sign"
    Release.objects.update(group=group_of(shop, auto_start=False))
    found = findings(release)
    assert found["approvers_too_few"].message.startswith("'plan/agree' needs 1 sign-offs by qa; 0 could be given.")
    assert found["no_start_by_itself"].stops is False
    member("second", "qa")
    assert "approvers_too_few" not in findings(release)


def test_nobody_fills_two_slots(shop):
    release = planned(shop)
    rules = "[{group: qa, count: 1}]"
    republish(rules, "[{group: qa, count: 1}, {group: development, count: 1}]")
    assert "approvers_too_few" in findings(release), "the owner alone is in both groups"
    member("second", "development")
    assert "approvers_too_few" not in findings(release)
    republish(rules, '[{group: "${{ phase.owners[0] }}", all: true}, {group: qa, percent: 100}]')
    assert "approvers_too_few" in findings(release)


def test_a_freeze_at_the_planned_start_stops_it_and_an_exception_lets_it_go(shop):
    release = planned(shop)
    quiet = freeze(23, 3)
    found = findings(release)["frozen"]
    assert (found.stops, found.until, found.path) == (True, MONDAY + 26 * HOUR, "quiet")
    FreezeException.objects.create(
        freeze=quiet, release=release, reason="x", expires_at=MONDAY + 30 * HOUR, state="granted", asked_at=MONDAY
    )
    assert "frozen" not in findings(release)


def test_a_freeze_now_does_not_stop_what_starts_after_it(shop):
    freeze(-1, 3)
    assert not {"frozen", "activity_frozen"} & set(findings(planned(shop)))


def test_a_freeze_within_the_planned_time_tells_which_activities_it_may_hold(shop):
    release = planned(shop)
    quiet = freeze(26, 3, tags=["late"])
    found = findings(release)["activity_frozen"]
    assert (found.stops, found.until) == (False, MONDAY + 29 * HOUR)
    assert found.message.endswith("may hold 1 activity: close/thank.")
    quiet.body = {"scope": {"everything": True}}
    quiet.save()
    assert "3 activities: plan/agree, plan/build, close/thank" in findings(release)["activity_frozen"].message
    FreezeException.objects.create(
        freeze=quiet, release=release, reason="x", expires_at=MONDAY + 30 * HOUR, state="granted", asked_at=MONDAY
    )
    assert "activity_frozen" not in findings(release)


def test_of_what_is_planned_to_no_end_a_freeze_that_comes_again_is_told_of_once(shop):
    release = planning.create_release(None, process=shop, name="Spring", given={"inputs": {"version": "1"}}, now=MONDAY)
    quiet = freeze(26, 3, tags=["late"])
    again = FreezeWindow.objects.create(freeze=quiet, starts_at=MONDAY + 99 * HOUR, ends_at=MONDAY + 100 * HOUR)
    found = [one for one in preflight(release, now=MONDAY) if one.code == "activity_frozen"]
    assert [one.until for one in found] == [MONDAY + 29 * HOUR]
    quiet.windows.exclude(pk=again.pk).delete()
    assert findings(release)["activity_frozen"].until == MONDAY + 100 * HOUR


def test_conflicts_are_told_and_stop_only_over_an_exclusive_resource_in_use(shop):
    holder = planned(shop, 1, 48)
    release = planned(shop)
    found = [one for one in preflight(release, now=MONDAY) if one.code == "conflict"]
    assert [(one.message, one.stops, one.path) for one in found] == [
        ("Another release uses 'cart' at the same time.", False, f"R-{holder.pk}"),
        ("The group 'qa' owns work in another release at the same time.", False, f"R-{holder.pk}"),
    ]
    planned(shop, 25)
    several = [one for one in preflight(release, now=MONDAY) if "'qa'" in one.message and one.code == "conflict"]
    assert [one.message for one in several] == ["The group 'qa' owns work in 2 other releases at the same time."]
    starting.start_release(None, holder, now=MONDAY + HOUR)
    bookings.book(holder, now=MONDAY + HOUR)
    assert [one.code for one in preflight(release, now=MONDAY) if one.stops] == ["conflict"]
    Resource.objects.update(exclusive=False)
    assert not [one for one in preflight(release, now=MONDAY) if one.stops]


def test_what_is_due_or_has_no_plan_is_stopped_by_whoever_holds_what_it_needs_now(shop):
    holder = planned(shop, 30, 48)
    given = {"inputs": {"version": "1"}}
    draft = planning.create_release(None, process=shop, name="Draft", given=given, now=MONDAY)
    overdue, ahead = planned(shop, 24), planned(shop, 100)
    starting.start_release(None, holder, now=MONDAY + 30 * HOUR)

    def stops(release: Release) -> list[tuple[str, str]]:
        found = preflight(Release.objects.get(pk=release.pk), now=MONDAY + 31 * HOUR)
        return [(one.code, one.path) for one in found if one.stops]

    held = [("conflict", f"R-{holder.pk}")]
    assert (stops(draft), stops(overdue), stops(ahead)) == (held, held, [])


def test_days_off_in_the_planned_time_are_told_in_the_groups_calendar_and_zone(shop):
    train = group_of(shop, cadence={"timezone": "Pacific/Auckland", "holidays": {"calendar": "ours"}})
    ours = HolidayCalendar.objects.create(slug="ours", name="Ours", imported_at=MONDAY)
    Holiday.objects.create(calendar=ours, on=date(2026, 3, 4), name="Fair")
    evening = planned(shop, 24, 2, group=train)
    assert "holiday" not in findings(evening)
    night = planned(shop, 24, 2.5, group=train)
    assert findings(night)["holiday"].message == "Wed 04 Mar is a day off: Fair (ours)."
    assert findings(night)["holiday"].stops is False


def test_a_release_across_another_of_its_group_is_told_where_the_group_does_not_allow_that(shop):
    train = group_of(shop, overlap="queue")
    planned(shop, 10, 20, group=train)
    release, clear = planned(shop, group=train), planned(shop, 40, group=train)
    assert findings(release)["overlap"].until == MONDAY + 30 * HOUR
    assert "overlap" not in findings(clear)
    train.body = {"overlap": "allow"}
    train.save()
    assert "overlap" not in findings(release)


def test_what_the_start_itself_asks_is_asked_too(shop, manager):
    train = group_of(shop, start_deadline="1h")
    before = planned(shop, group=train)
    BreakGlass.objects.create(release=before, reason="x", at=MONDAY, by_name="eve")
    release = planned(shop, group=train)
    assert findings(release)["debt"].stops
    late = {one.code for one in preflight(release, now=MONDAY + 26 * HOUR)}
    assert "late" in late


def test_many_releases_cost_little_more_than_one(shop, django_assert_max_num_queries):
    train = group_of(shop, overlap="queue", cadence={"holidays": {"calendar": "DE"}})
    many = [planned(shop, 24 + 5 * number, group=train) for number in range(12)]
    freeze(20, 100, tags=["late"])
    fresh = list(Release.objects.filter(pk__in=[release.pk for release in many]))
    with django_assert_max_num_queries(25 + 4 * len(many)):
        found = preflight_many(fresh, now=MONDAY)
    assert found == {release.pk: preflight(release, now=MONDAY) for release in fresh}


def test_what_stops_a_release_is_stored_and_an_event_tells_when_that_changes(shop):
    release = planned(shop)
    assert check_release(release.pk, now=MONDAY) is None
    release.refresh_from_db()
    assert [one["code"] for one in release.findings] == ["role_unfilled"]
    assert release.check_at is not None
    assert MONDAY < release.check_at < MONDAY + DAY, "next a few hours before its start"
    Connection.objects.update(enabled=False)
    check_release(release.pk, now=MONDAY + HOUR)
    check_release(release.pk, now=MONDAY + 2 * HOUR)
    told = Event.objects.filter(verb="release.preflight_changed")
    assert [(one.before, one.after) for one in told] == [({"stops": []}, {"stops": ["connection_disabled plan/build"]})]


def test_it_is_looked_at_less_and_less_long_before_its_start(shop):
    release, looks, now = planned(shop, 24 * 60), [], MONDAY
    assert release.planned_start_at is not None
    for _ in range(6):
        record_findings(release, now=now)
        assert release.check_at is not None
        now = release.check_at
        looks.append((release.planned_start_at - now) / HOUR)
    leads = [24 * 30, 24 * 7, 24 * 3, 24, 4, 1]
    assert all(lead <= look <= 1.2 * lead for look, lead in zip(looks, leads, strict=True))
    record_findings(release, now=now)
    assert release.check_at is None, "then it starts"


def test_far_ahead_it_tells_nobody_and_never_looks_at_what_is_not_scheduled(shop):
    release = planned(shop, 24 * 29)
    Connection.objects.update(enabled=False)
    assert record_findings(release, now=MONDAY) is None
    assert release.check_at is not None
    release = planning.cancel_release(None, release, reason="no", now=MONDAY)
    assert record_findings(release, now=MONDAY) is None
    assert Release.objects.get(pk=release.pk).check_at is None


def test_a_release_that_was_changed_meanwhile_is_looked_at_again(shop):
    seen = planned(shop)
    planning.edit_release(None, seen, {"name": "Summer"}, now=MONDAY)
    assert record_findings(seen, now=MONDAY) is None
    kept = Release.objects.get(pk=seen.pk)
    assert (kept.findings, kept.check_at) == ([], MONDAY)


def test_what_was_stopped_is_looked_at_again_when_what_it_is_made_from_changes(
    shop, django_capture_on_commit_callbacks
):
    far = planned(shop, 24 * 60)
    near = planned(shop, 24)
    clean = planned(shop, 24 * 60)
    for release in (far, near, clean):
        record_findings(release, now=MONDAY)
    Release.objects.filter(pk=far.pk).update(findings=[{"code": "secret_missing", "stops": True}])
    with django_capture_on_commit_callbacks(execute=True):
        secrets.set_secret(None, "token", "value", now=MONDAY + HOUR)
    looks = [Release.objects.get(pk=release.pk).check_at for release in (far, near, clean)]
    assert looks[:2] == [MONDAY + HOUR] * 2
    assert looks[2] != MONDAY + HOUR
