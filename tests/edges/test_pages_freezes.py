"""The pages of freezes: which apply, come and are over; exceptions asked for and decided; who sees what of a scope."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from releases.freeze_documents import apply_freeze
from releases.groups import save_group
from releases.models import Freeze, FreezeException, Notice, Release, ReleaseGroup
from releases.services.checking import check_release
from releases.services.exempting import ask_exception
from releases.services.freezing import lift_freeze
from tests.builders import run_of
from tests.edges.calls import Caller
from tests.edges.pages import Reader, panel_of, plan, publish, start
from tests.edges.test_pages_costs import queries

pytestmark = pytest.mark.django_db

SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - {id: only, name: Only, owners: [group:qa], activities: [{id: agree, manual: {instructions: Look.}}]}
"""
PAGE = "/freezes/audit/"


def freeze(slug: str, start: datetime, end: datetime, **more: Any) -> Freeze:
    window = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{end:%Y-%m-%dT%H:%M}", "timezone": "UTC"}
    document = {"kind": "Freeze", "id": slug, "name": f"The {slug}", "scope": {"groups": ["train"]}, "window": window}
    apply_freeze(None, {**document, **more}, now=timezone.now())
    return Freeze.objects.get(slug=slug)


@pytest.fixture(autouse=True)
def audit(groups: Any) -> Freeze:
    """A daily train that is frozen from a day ago until in three days."""
    now = timezone.now()
    publish(SHOP)
    rule = {"rrule": "FREQ=DAILY", "start": "2026-01-08T09:00", "timezone": "UTC", "duration": "2h"}
    document = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", "cadence": rule}
    save_group(None, document, now=now)
    return freeze("audit", now - timedelta(days=1), now + timedelta(days=3))


def asked(freeze: Freeze, by: User | None) -> FreezeException:
    now = timezone.now()
    group = ReleaseGroup.objects.get(slug="train")
    return ask_exception(by, freeze, reason="A demo", expires_at=now + timedelta(days=1), now=now, group=group)


def test_a_scope_of_several_keys_says_that_all_have_to_match(manager: User) -> None:
    scope = {"tags": ["deployment", "database"], "groups": ["train"]}
    freeze("narrow", timezone.now(), timezone.now() + timedelta(days=1), scope=scope)
    text = Reader(manager).open("/freezes/")
    assert "Stops what is tagged deployment or database and is of group train" in text


def test_the_list_tells_what_applies_comes_and_is_over(manager: User, audit: Freeze) -> None:
    now = timezone.now()
    freeze("winter", now + timedelta(days=30), now + timedelta(days=40), in_flight="hold", scope={"everything": True})
    freeze("summer", now - timedelta(days=40), now - timedelta(days=30))
    asked(audit, None)
    reader = Reader(manager)
    text = reader.open("/freezes/")
    assert text.index("Apply now") < text.index("The audit Stops group train Lets what runs finish 1 asked for until")
    assert text.index("Coming") < text.index("The winter Stops everything Holds what runs") < text.index("Over")
    assert text.index("Over") < text.index("The summer Stops group train")
    assert "The summer" not in reader.open("/freezes/?when=coming")
    lift_freeze(None, audit, now=now, reason="Done")
    assert "Apply now" not in reader.open("/freezes/")
    assert "lifted by pilothouse" in reader.text


def test_a_freeze_tells_what_it_stops(manager: User, audit: Freeze) -> None:
    release = Release.objects.filter(state="scheduled").order_by("planned_start_at").first()
    assert release is not None
    check_release(release.pk, now=timezone.now())
    text = Reader(manager).open(PAGE)
    assert "The audit Applies now" in text
    assert "What runs already goes on to its end" in text
    assert f"Releases it stops next four weeks, as last looked at {release} Train" in text


def test_a_recurring_freeze_tells_its_next_times(manager: User) -> None:
    window = {"rrule": "FREQ=WEEKLY;BYDAY=FR", "start": "2026-01-02T18:00", "timezone": "Asia/Tokyo", "duration": "12h"}
    now = timezone.now()
    freeze("nights", now, now, window=window)
    text = Reader(manager).open("/freezes/nights/")
    assert "Every Friday at 18:00 (Asia/Tokyo), for 12 hours" in text
    assert "JST Your time Fri" in text
    assert text.count("Your time") == 8
    assert Reader(manager).open("/freezes/nights/?windows=more").count("Your time") > 40


def test_an_exception_is_asked_for_and_granted_by_somebody_else(manager: User, admin: User, audit: Freeze) -> None:
    reader = Reader(manager)
    until = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    text = reader.send(f"{PAGE}exceptions/", what="group:train", reason="The fix", expires_at=until)
    assert "Group Train until" in text
    assert "The fix asked by manager" in text
    one = FreezeException.objects.get()
    assert "grant" not in reader.actions
    reader.send(f"{PAGE}exceptions/{one.pk}/grant/")
    assert reader.status == 403
    other = Reader(admin)
    other.open(PAGE)
    assert {"grant", "refuse", "withdraw"} <= other.actions
    assert "granted by admin" in other.send(f"{PAGE}exceptions/{one.pk}/grant/")
    assert "already" in other.send(f"{PAGE}exceptions/{one.pk}/refuse/", reason="No")
    assert other.status == 409
    assert "Withdrawn" in reader.send(f"{PAGE}exceptions/{one.pk}/withdraw/")


def test_everything_wrong_with_a_request_is_told_at_once(manager: User) -> None:
    reader = Reader(manager)
    text = reader.send(f"{PAGE}exceptions/", what="group:x", reason=" ", expires_at="soon")
    assert reader.status == 400
    assert "Choose a release or a group." in text
    assert "'soon' is not a date and time." in text
    assert "A reason is required." in text
    for what in ("", "release:x", "release:99999999999999999999", "group:\x00", "user:1"):
        reader.send(f"{PAGE}exceptions/", what=what, reason="Because")
        assert (what, reader.status) == (what, 400)


def test_a_refusal_needs_a_reason(admin: User, audit: Freeze) -> None:
    one = asked(audit, None)
    reader = Reader(admin)
    assert "A reason is required." in reader.send(f"{PAGE}exceptions/{one.pk}/refuse/")
    assert "refused by admin: Too risky" in reader.send(f"{PAGE}exceptions/{one.pk}/refuse/", reason="Too risky")


def test_who_sees_a_release_sees_the_freeze_but_not_the_rest_of_its_scope(
    owner: User, stranger: User, audit: Freeze
) -> None:
    one = asked(audit, None)
    release = Release.objects.filter(state="scheduled").first()
    assert release is not None
    other = {"kind": "ReleaseGroup", "id": "secret", "name": "Hidden", "process": "shop"}
    save_group(None, other, now=timezone.now())
    now = timezone.now()
    freeze("audit", now - timedelta(days=1), now + timedelta(days=3), scope={"groups": ["train", "secret"]})
    owner.releaseuserpermission_set.create(
        permission=Permission.objects.get(codename="view_release"), content_object=release
    )
    reader = Reader(owner)
    text = reader.open(PAGE)
    assert "Stops groups train and 1 that you may not see" in text
    assert "A demo" not in text
    assert "Ask for an exception" not in text
    reader.send(f"{PAGE}exceptions/", what="group:train", reason="Because")
    assert reader.status == 400
    for verb in ("grant", "refuse", "withdraw"):
        reader.send(f"{PAGE}exceptions/{one.pk}/{verb}/", reason="x")
        assert (verb, reader.status) == (verb, 404)


def test_a_stranger_finds_nothing(stranger: User, audit: Freeze) -> None:
    one = asked(audit, None)
    reader, nobody = Reader(stranger), Reader()
    assert "No freezes" in reader.open("/freezes/")
    assert "audit" not in reader.text
    for address in (PAGE, f"{PAGE}exceptions/", f"{PAGE}exceptions/{one.pk}/grant/"):
        reader.send(address, what="group:train", reason="x")
        assert (address, reader.status) in ((address, 404), (address, 405))
        nobody.open(address)
        assert nobody.status in (302, 405)
    reader.open(PAGE)
    assert reader.status == 404
    assert FreezeException.objects.get().state == "pending"


@pytest.mark.parametrize("address", ["/freezes/?when=x", "/freezes/?when=past&from=x", "/freezes/?when=now&from=9" * 9])
def test_what_makes_no_sense_is_passed_over(manager: User, address: str) -> None:
    reader = Reader(manager)
    reader.open(address)
    assert reader.status == 200


def test_pages_cost_the_same_for_one_and_for_many(manager: User, audit: Freeze) -> None:
    now = timezone.now()
    freeze("winter", now + timedelta(days=30), now + timedelta(days=40))
    freeze("summer", now - timedelta(days=40), now - timedelta(days=30))
    asked(audit, None)
    reader = Reader(manager)
    few = [queries(reader, address) for address in ("/freezes/", PAGE)]
    for number in range(8):
        freeze(f"now-{number}", now - timedelta(days=1), now + timedelta(days=3))
        freeze(f"next-{number}", now + timedelta(days=30), now + timedelta(days=40))
        FreezeException.objects.create(
            freeze=audit, group=ReleaseGroup.objects.get(), state="refused", reason="x", asked_by_name="x",
            asked_at=now, expires_at=now, decided_at=now,
        )  # fmt: skip
    for release in Release.objects.filter(state="scheduled").order_by("planned_start_at")[:9]:
        check_release(release.pk, now=now)
    assert [queries(reader, address) for address in ("/freezes/", PAGE)] == few


def test_who_may_grant_an_exception_finds_it_on_home_and_decides_there(
    manager: User, admin: User, owner: User, audit: Freeze
) -> None:
    exception = asked(audit, admin)
    assert "A demo" not in Reader(admin).open("/")
    assert "A demo" not in Reader(owner).open("/")
    reader = Reader(manager)
    text = reader.open("/")
    assert "Waits for you 1" in text
    assert "The audit Grant or refuse an exception All releases of Train" in text
    assert "1" in reader.open("/home/waiting/")
    assert [one["id"] for one in Caller(manager).get("me/")["exceptions"]] == [exception.pk]
    text = reader.send(f"{PAGE}exceptions/{exception.pk}/grant/", back="home")
    assert "Nothing waits for you" in text
    exception.refresh_from_db()
    assert exception.state == "granted"
    assert "that you asked for is granted by manager Train" in Reader(admin).open("/notices/")


def test_many_that_wait_cost_home_no_more_than_one(manager: User, admin: User, audit: Freeze) -> None:
    asked(audit, admin)
    reader = Reader(manager)
    few = queries(reader, "/")
    for number in range(5):
        asked(freeze(f"more-{number}", timezone.now(), timezone.now() + timedelta(days=2)), admin)
    assert reader.open("/").count("A demo") == 6
    assert queries(reader, "/") == few


def test_a_notice_of_an_exception_leads_to_its_freeze(manager: User, admin: User, audit: Freeze) -> None:
    exception = asked(audit, admin)
    notice = Notice.objects.get(user=manager)
    answer = Reader(manager).client.get(f"/notices/{notice.pk}/")
    assert answer.headers["Location"] == f"{PAGE}#exceptions"
    (one,) = Caller(manager).get("notices/?kind=exception")["results"]
    assert (one["freeze_exception"], one["activity_run"], one["release"]) == (exception.pk, None, None)
    assert (one["release_name"], one["mentioned_by"]) == ("Train", "admin")


DEPLOYS = """
kind: Process
id: deploys
name: Deploys
phases:
  - id: only
    name: Only
    owners: [group:qa]
    activities: [{id: ship, name: Ship, tags: [deployment], manual: {instructions: Ship.}}]
"""


def test_one_is_asked_for_a_release_of_which_a_freeze_only_holds_activities(
    manager: User, owner: User, engine: Any
) -> None:
    now = timezone.now()
    freeze("quiet", now - timedelta(days=1), now + timedelta(days=3), scope={"tags": ["deployment"]})
    process = publish(DEPLOYS)
    planned, running = plan(process, manager, planned_start_at=now + timedelta(hours=1)), start(process, manager)
    pages = [f"/releases/{planned.pk}/", panel_of(run_of(running, "only/ship"))]
    reader = Reader(manager)
    for page, release in zip(pages, (planned, running), strict=True):
        reader.open(page)
        assert f'href="/freezes/quiet/?for=release:{release.pk}#ask"' in reader.source
        here = source_of(reader, f"/freezes/quiet/?for=release:{release.pk}")
        assert f'value="release:{release.pk}" selected' in here
        text = reader.send("/freezes/quiet/exceptions/", what=f"release:{release.pk}", reason="A small one")
        assert f"{release} until" in text
    assert set(FreezeException.objects.values_list("release", flat=True)) == {planned.pk, running.pk}


def test_it_is_offered_to_those_only_who_may_ask(manager: User, owner: User, engine: Any) -> None:
    now = timezone.now()
    freeze("quiet", now - timedelta(days=1), now + timedelta(days=3), scope={"tags": ["deployment"]})
    release = start(publish(DEPLOYS), manager)
    reader = Reader(owner)
    assert "The freeze The quiet lets nothing here start" in reader.open(panel_of(run_of(release, "only/ship")))
    assert "Ask for an exception" not in reader.text
    assert "Ask for an exception" not in reader.open(f"/freezes/quiet/?for=release:{release.pk}")
    for text in ("x", "release:x", "release:", "release:" + "9" * 30, "group:train"):
        reader.open(f"/freezes/quiet/?for={text}")
        assert (text, reader.status) == (text, 200)


def source_of(reader: Reader, address: str) -> str:
    reader.open(address)
    return reader.source
