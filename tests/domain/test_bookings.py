"""What a release books, from when until when, and which releases that brings into conflict."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from processes.models import Process, Resource
from processes.services import apply, export
from releases import bookings
from releases.models import Booking, Release, ReleaseGroup
from releases.services import planning, running, starting
from tests.builders import MONDAY

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SHOP = """
kind: Resource
id: cart
name: Cart
type: service
exclusive: true
---
kind: Process
id: deploy
name: Deploy
resources: ["${{ inputs.service }}", "${{ inputs.place }}"]
inputs: {service: {type: string, required: true}, place: {type: string, default: nowhere}}
phases: [{id: only, name: Only, owners: ["group:devops"], activities: [{id: look, manual: {instructions: Look.}}]}]
---
kind: Process
id: shop
name: Shop
roles: {lead: {group: release-managers}}
resources: [cart, "${{ inputs.environment }}"]
inputs: {environment: {type: string}, services: {type: list, default: [search, mail]}}
phases:
  - id: plan
    name: Plan
    owners: ["role:lead", "user:ann"]
    outputs: {picked: "${{ phases.plan.activities.pick.outputs.what }}"}
    activities: [{id: pick, owners: ["group:qa"], manual: {form: {what: {type: string}}}}]
  - id: ship
    name: Ship
    owners: ["group:devops"]
    depends_on: [plan]
    activities:
      - {id: known, for_each: "${{ inputs.services }}", subprocess: deploy, with: {service: "${{ item }}"}}
      - {id: later, subprocess: deploy, with: {service: "${{ phases.plan.outputs.picked }}", place: yard}}
"""
TOUCHED = {
    "resource:cart",
    "resource:prod",
    "resource:search",
    "resource:mail",
    "resource:nowhere",
    "resource:yard",
    "user:ann",
    "group:qa",
    "group:devops",
}


@pytest.fixture
def shop(groups: Any) -> Process:
    apply(None, SHOP, now=MONDAY, publish=True)
    return Process.objects.get(slug="shop")


def group_of(shop: Process, slug: str) -> ReleaseGroup:
    return ReleaseGroup.objects.get_or_create(slug=slug, defaults={"name": slug.title(), "process": shop})[0]


def planned(
    shop: Process, start: int = 1, end: int | None = 3, *, group: str = "", environment: str = "prod"
) -> Release:
    """A scheduled release that is booked, from and to so many hours after Monday, nine o'clock."""
    release = planning.create_release(
        None,
        process=shop,
        group=group_of(shop, group) if group else None,
        name=f"From {start}",
        given={"inputs": {"environment": environment}},
        planned_start_at=MONDAY + start * HOUR,
        planned_end_at=None if end is None else MONDAY + end * HOUR,
        now=MONDAY,
    )
    release = planning.schedule_release(None, release, now=MONDAY)
    bookings.book(release, now=MONDAY)
    return release


def begun(release: Release) -> Release:
    starting.start_release(None, release, now=MONDAY + HOUR)
    bookings.book(release, now=MONDAY + HOUR)
    return release


def booked(release: Release) -> set[str]:
    return set(release.bookings.values_list("what", flat=True))


def spans(release: Release) -> set[tuple[Any, Any]]:
    return {(one.during.lower, one.during.upper) for one in release.bookings.all()}


def told(release: Release) -> list[tuple[str, int | None, bool]]:
    return [(one.what, one.release_id, one.stops) for one in bookings.conflicts_of(release)]


def test_a_release_books_its_resources_those_of_subprocesses_and_its_owners(shop, manager):
    release = planned(shop)
    assert booked(release) == TOUCHED
    assert spans(release) == {(MONDAY + HOUR, MONDAY + 3 * HOUR)}
    planning.fill_role(None, release, role="lead", user=manager, now=MONDAY)
    planning.edit_release(None, release, {"given": {"inputs": {"services": []}}}, now=MONDAY)
    release = Release.objects.get(pk=release.pk)
    bookings.book(release, now=MONDAY)
    gone = {"resource:prod", "resource:search", "resource:mail", "resource:nowhere"}
    assert booked(release) == TOUCHED - gone | {"user:manager"}


def test_it_books_its_plan_then_its_run_then_nothing(shop):
    release = planned(shop)
    running_one = begun(release)
    assert booked(running_one) == TOUCHED
    assert spans(running_one) == {(MONDAY + HOUR, MONDAY + 3 * HOUR)}
    bookings.book(running_one, now=MONDAY + 4 * HOUR)
    assert spans(running_one) == {(MONDAY + HOUR, None)}
    running.abort_release(None, running_one, now=MONDAY + 5 * HOUR, reason="over")
    running_one.refresh_from_db()
    bookings.book(running_one, now=MONDAY + 5 * HOUR)
    assert booked(running_one) == set()


def test_what_is_called_off_or_never_planned_books_nothing_and_no_end_means_a_moment(shop):
    release = planned(shop, 1, None)
    assert spans(release) == {(MONDAY + HOUR, MONDAY + HOUR + timedelta(microseconds=1))}
    bookings.book(planning.cancel_release(None, release, reason="no", now=MONDAY), now=MONDAY)
    draft = planning.create_release(None, process=shop, name="Draft", now=MONDAY)
    bookings.book(draft, now=MONDAY)
    assert not Booking.objects.exists()


def test_booking_again_writes_nothing_and_many_at_once_cost_what_one_does(shop, django_assert_max_num_queries):
    release = planned(shop)
    before = set(Booking.objects.values_list("pk", flat=True))
    bookings.book(release, now=MONDAY)
    assert set(Booking.objects.values_list("pk", flat=True)) == before
    many = [planned(shop, start, start + 1) for start in range(2, 12)]
    with django_assert_max_num_queries(8):
        bookings.rebook_many(many, now=MONDAY)


def test_a_running_release_that_is_late_holds_on_to_what_it_has(shop):
    late = begun(planned(shop, 1, 3))
    next_one = planned(shop, 4, 5)
    assert told(next_one) == []
    assert bookings.extend_overdue(now=MONDAY + 2 * HOUR) == 0
    assert bookings.extend_overdue(now=MONDAY + 3 * HOUR) == len(TOUCHED)
    assert spans(late) == {(MONDAY + HOUR, None)}
    assert ("resource:cart", late.pk, True) in told(next_one)


def test_releases_that_touch_the_same_at_the_same_time_are_in_conflict(shop):
    one, other = planned(shop, 1, 3, group="a"), planned(shop, 2, 4, group="b", environment="qa")
    planned(shop, 3, 4, group="c")
    kin = planned(shop, 1, 3, group="a")
    shared = TOUCHED - {"resource:prod"}
    exclusive, *found = bookings.conflicts_of(one)
    assert (exclusive.what, exclusive.release_id) == ("resource:cart", kin.pk), "of its group, only what one may have"
    assert [(conflict.what, conflict.release_id) for conflict in found] == [
        *((what, other.pk) for what in sorted(what for what in shared if what.startswith("resource:"))),
        ("user:ann", other.pk),
        ("group:devops", other.pk),
        ("group:qa", other.pk),
    ]
    assert {(conflict.span.starts_at, conflict.span.ends_at) for conflict in found} == {
        (MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    }
    assert not any(conflict.stops for conflict in found)


def test_only_a_running_release_that_holds_an_exclusive_resource_stops_another(shop):
    holder = planned(shop, 1, 3, group="a")
    waiting = planned(shop, 2, 4, group="b")
    kin = planned(shop, 2, 4, group="a")
    draft = planning.create_release(None, process=shop, name="Draft", now=MONDAY)
    assert bookings.holders_of(waiting) == []
    begun(holder)
    for release in (waiting, draft, kin):
        found = bookings.holders_of(release)
        assert [(one.what, one.release_id, one.stops) for one in found] == [("resource:cart", holder.pk, True)]
    assert bookings.holders_of(waiting, whats=["resource:prod"]) == []
    assert bookings.holders_of(waiting, at=MONDAY + 3 * HOUR) == []
    assert told(waiting)[0] == ("resource:cart", holder.pk, True)
    assert [stops for _, _, stops in told(waiting)].count(True) == 1
    Resource.objects.update(exclusive=False)
    assert bookings.holders_of(waiting) == []


def test_who_holds_what_takes_one_query(shop, django_assert_num_queries):
    begun(planned(shop, 1, 3, group="a"))
    waiting = planned(shop, 2, 4, group="b")
    with django_assert_num_queries(1):
        assert bookings.holders_of(waiting)


def between(*args: Any, **more: Any) -> list[bookings.Pair]:
    found = bookings.conflicts_between(*args, **more)
    assert found.is_complete
    return found.pairs


def test_everything_in_conflict_between_two_moments(shop, django_assert_max_num_queries):
    one, other = planned(shop, 1, 3, group="a"), planned(shop, 2, 4, group="b", environment="qa")
    planned(shop, 10, 12, group="c")
    with django_assert_max_num_queries(2):
        found = between(MONDAY, MONDAY + 5 * HOUR)
    assert {pair.one.what for pair in found} == TOUCHED - {"resource:prod"}
    assert {(pair.one.release_id, pair.other.release_id) for pair in found} == {(one.pk, other.pk)}
    assert between(MONDAY, MONDAY + 2 * HOUR) == []
    adhoc = planned(shop, 11, 12)
    assert len(between(MONDAY, MONDAY + 20 * HOUR, ["resource:cart"])) == 2
    Release.objects.filter(pk=adhoc.pk).delete()
    assert between(MONDAY + 9 * HOUR, MONDAY + 20 * HOUR) == []
    (cart,) = between(MONDAY, MONDAY + 5 * HOUR, ["resource:cart"])
    assert cart.one.what == "resource:cart"
    assert between(MONDAY, MONDAY + 5 * HOUR, group=group_of(shop, "c")) == []
    assert len(between(MONDAY, MONDAY + 5 * HOUR, group=group_of(shop, "b"))) == len(found)


def test_more_conflicts_than_are_told_are_said_to_be_more(shop, monkeypatch):
    planned(shop, 1, 3, group="a")
    planned(shop, 2, 4, group="b")
    all_of_them = between(MONDAY, MONDAY + 5 * HOUR)
    monkeypatch.setattr(bookings, "MOST_PAIRS", len(all_of_them))
    assert between(MONDAY, MONDAY + 5 * HOUR) == all_of_them
    monkeypatch.setattr(bookings, "MOST_PAIRS", len(all_of_them) - 1)
    found = bookings.conflicts_between(MONDAY, MONDAY + 5 * HOUR)
    assert (found.pairs, found.is_complete) == (all_of_them[:-1], False)


def test_a_release_one_may_not_see_has_no_name(shop, stranger, owner, manager):
    one, other = planned(shop, 1, 3, group="a"), planned(shop, 2, 4, group="b")
    one.participants.create(user=owner)
    assert between(MONDAY, MONDAY + 5 * HOUR, actor=stranger) == []
    named = between(MONDAY, MONDAY + 5 * HOUR, ["resource:cart"], actor=owner)
    assert [(pair.one.name, pair.other.name) for pair in named] == [("From 1", "a release you may not see")]
    found = bookings.seen_by(owner, bookings.conflicts_of(one))
    assert {(conflict.release_id, conflict.name) for conflict in found} == {(None, "a release you may not see")}
    assert {conflict.release_id for conflict in bookings.seen_by(manager, found + bookings.conflicts_of(one))} == {
        None,
        other.pk,
    }


def test_an_exclusive_resource_is_applied_and_given_back(shop):
    given = "kind: Resource\nid: yard\nname: Yard\ntype: environment\nexclusive: true\n"
    apply(None, given, now=MONDAY)
    assert Resource.objects.get(slug="yard").exclusive
    assert "exclusive: true" in export(None, [("Resource", "yard")])
    apply(None, given.replace("exclusive: true\n", ""), now=MONDAY)
    assert not Resource.objects.get(slug="yard").exclusive
    assert "exclusive" not in export(None, [("Resource", "yard")])
