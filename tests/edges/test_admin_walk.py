"""Every address of the admin, found in the URL conf itself: an admin opens all, a stranger on the staff none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from guardian.shortcuts import assign_perm

from activities.models import Activity, ActivityRevision, Connection, Secret
from activities.secrets import set_secret
from config.models import ApiToken, Event
from config.tokens import create_token
from config.trail import record
from processes.models import InputSet, Phase, Process, ProcessRevision, Resource
from processes.services import apply
from releases.models import (
    ActivityRun,
    Artifact,
    Attempt,
    BreakGlass,
    Change,
    Feed,
    Freeze,
    FreezeException,
    HolidayCalendar,
    PhaseRun,
    Release,
    ReleaseGroup,
    SignOff,
)
from releases.services.feeds import create_feed
from releases.services.freezing import stop_the_line
from tests.builders import automated, start, work
from tests.edges.desk import staff
from tests.edges.pages import KINDS, publish
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
#: Says the same to everybody on the staff, and nothing that is stored.
OPEN = {"", "login/", "logout/", "password_change/", "password_change/done/", "jsi18n/", "autocomplete/", "search/"}
OWN = {"config/apitoken/"}
STORE = """
kind: Activity
id: scan
name: Scan it
type: automated
automated: {connection: scripted, pipeline: scan}
---
kind: Resource
id: cart
name: Cart
type: service
"""


@pytest.fixture
def things(engine: ScriptedRunner, groups: dict[str, Group], admin: User) -> dict[type, Any]:
    """One row of everything the admin shows, by its table."""
    process = publish(STORE + "---" + KINDS)
    set_secret(None, "key", "s3cr3t-value", now=NOW)
    ReleaseGroup.objects.create(slug="train", name="Train", process=process)
    release = start(
        f"{{id: tiny, phases: [{{id: a, name: A, activities: [{{id: b, automated: {automated('ok')}}}]}}]}}"
    )
    work(release)
    run = ActivityRun.objects.get(path="a/b")
    SignOff.objects.create(activity_run=run, attempt=1, user=admin, user_name="ann", decision="approved", at=NOW)
    Artifact.objects.create(release=release, name="cart", at=NOW)
    Change.objects.create(release=release, kind="commit", reference="a1b2c3", at=NOW)
    BreakGlass.objects.create(release=release, reason="Outage", at=NOW, by_name="ann")
    FreezeException.objects.create(
        freeze=stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW),
        release=release,
        reason="Fix",
        expires_at=NOW,
        asked_at=NOW,
        asked_by_name="ann",
    )
    AccessAttempt.objects.create(username="eve", failures_since_start=3)
    create_token(admin, name="mine", scopes=["read"], now=NOW)
    create_feed(admin, kind="mine", now=NOW)
    HolidayCalendar.objects.create(slug="plant", name="Plant", imported_at=NOW)
    tables = (
        Activity, ActivityRevision, Connection, Secret, InputSet, Phase, ProcessRevision, Resource, ActivityRun,
        Artifact, Attempt, Change, PhaseRun, Release, ReleaseGroup, SignOff, Event, ApiToken, AccessAttempt, User,
        Group, Feed, HolidayCalendar,
        Freeze, FreezeException, BreakGlass,
    )  # fmt: skip
    rows: dict[type, Any] = {table: table._default_manager.first() for table in tables}
    return {**rows, Process: process}


MARK = "<b onclick=x>bold</b>"


@pytest.fixture
def marked(things: dict[type, Any], admin: User) -> dict[type, Any]:
    """The same rows, but what people have typed into them is markup."""
    declared = f"{{type: string, description: '{MARK}', default: '{MARK}', pattern: '{MARK}'}}"
    text = f"""
kind: Process
id: marked
name: "{MARK}"
description: "{MARK}"
inputs: {{x: {declared}}}
phases:
  - {{id: a, name: "{MARK}", when: "{MARK}", activities: [{{id: b, name: "{MARK}", wait: 1h}}]}}
---
kind: InputSet
id: marked
name: "{MARK}"
process: marked
values: {{inputs: {{x: "{MARK}"}}}}
"""
    apply(None, text, now=NOW)
    process = Process.objects.get(slug="marked")
    release = Release.objects.create(process=process, name=MARK, created_at=NOW, reason=MARK, description=MARK)
    record(admin, "process.changed", process, before={"x": MARK}, after={"x": MARK}, reason=MARK)
    return {
        **things,
        Process: process,
        Phase: process.phases.get(),
        InputSet: InputSet.objects.get(slug="marked"),
        Release: release,
        Event: Event.objects.latest("pk"),
    }


def routes() -> Iterator[tuple[str, Any]]:
    """Every address under /admin/, as it is in the URL conf, with the table it is about."""
    root = next(one for one in get_resolver().url_patterns if str(one.pattern) == "admin/")
    assert isinstance(root, URLResolver)
    tables = {f"{table._meta.app_label}/{table._meta.model_name}/": table for table in django_admin.site._registry}
    for pattern in root.url_patterns:
        if isinstance(pattern, URLResolver):
            table = tables[str(pattern.pattern)]
            for inner in pattern.url_patterns:
                assert isinstance(inner, URLPattern)
                yield f"{pattern.pattern}{inner.pattern}", table
        else:
            yield str(pattern.pattern), None


def filled(address: str, row: Any, person: User) -> str:
    """An address with the row's key in it."""
    for place in ("<path:object_id>", "<object_pk>", "<id>"):
        address = address.replace(place, str(getattr(row, "pk", 1)))
    group = Group.objects.first()
    assert group is not None
    return "/admin/" + address.replace("<user_id>", str(person.pk)).replace("<group_id>", str(group.pk))


def walk(things: dict[type, Any], person: User) -> Iterator[tuple[str, str]]:
    for address, table in routes():
        if "(?P<url>" in address or address.startswith(("r/", "^(?P<app_label>")):
            continue
        yield address, filled(address, things.get(table) if table else None, person)


def test_every_table_the_admin_shows_is_in_the_walk(things: dict[type, Any]) -> None:
    assert {table for _, table in routes() if table} <= things.keys()
    assert all(things.values())


def test_an_admin_opens_every_page_and_none_shows_what_people_typed_as_markup(
    marked: dict[type, Any], admin: User
) -> None:
    client = Client()
    client.force_login(admin)
    seen = 0
    for address, at in walk(marked, admin):
        answer = client.get(at)
        if address not in ("login/", "logout/", "autocomplete/"):
            assert answer.status_code in (200, 302, 403), f"{at}: {answer.status_code}"
            seen += answer.status_code == 200
        if answer.status_code == 302:
            answer = client.get(answer.headers["Location"], follow=True)
        if "/export/" not in at:
            assert b"<b onclick" not in b"".join(answer), at
    assert seen > 90
    process, phase = marked[Process], marked[Phase]
    for at in (f"processes/process/{process.pk}/text/", f"processes/phase/{phase.pk}/change/"):
        answer = client.post(f"/admin/{at}", {"text": f"{MARK}: [", "name": MARK, "slug": MARK})
        assert b"<b onclick" not in answer.content, at


def test_a_stranger_on_the_staff_finds_nothing(things: dict[type, Any], stranger: User) -> None:
    client = Client()
    client.force_login(staff(stranger))
    for address, at in walk(things, stranger):
        if address in OPEN or address.startswith(tuple(OWN)):
            continue
        for answer in (client.get(at), client.post(at, {"post": "yes", "name": "x", "slug": "x"})):
            if answer.status_code == 302:  # the short address of a page
                answer = client.get(answer.headers["Location"])
            assert answer.status_code in (403, 404), f"{at}: {answer.status_code}"


def test_what_is_open_to_the_staff_names_nothing_that_is_stored(things: dict[type, Any], stranger: User) -> None:
    client = Client()
    client.force_login(staff(stranger))
    for at in ("/admin/", "/admin/search/?s=e&extended=1", "/admin/config/apitoken/"):
        page = client.get(at).content.decode()
        for words in ("Database move", "Scan it", "Cart", "Train", "mine", "Processes", "s3cr3t-value"):
            assert words not in page, f"{words} in {at}"
    query = "/admin/autocomplete/?app_label=processes&model_name=phaseactivity&field_name=activity&term="
    assert client.get(query).status_code == 403
    token = things[ApiToken]
    assert client.get(f"/admin/config/apitoken/{token.pk}/change/").status_code in (403, 404)
    assert client.post(f"/admin/config/apitoken/{token.pk}/delete/", {"post": "yes"}).status_code in (403, 404)
    assert ApiToken.objects.filter(pk=token.pk).exists()


def test_somebody_who_is_not_on_the_staff_is_sent_to_sign_in(things: dict[type, Any], author: User) -> None:
    client = Client()
    client.force_login(author)
    for address, at in walk(things, author):
        if address not in OPEN:
            answer = client.get(at)
            assert answer.status_code == 302, at
            assert "/admin/login/" in answer.headers["Location"]


def odd_address(address: str, odd: str) -> str:
    """An address with something odd in the place of each key."""
    return "/admin/" + re.sub("<[^>]+>", odd, address)


def test_odd_ids_and_queries_are_no_500(things: dict[type, Any], admin: User) -> None:
    client = Client()
    client.force_login(admin)
    odds = ("abc", "999999999999999999999", "0", "%00", "_5F")
    addresses = {odd_address(address, ""): address for address, table in routes() if table}
    for number, address in enumerate(addresses.values()):
        for odd in (odds[number % 5], odds[(number + 2) % 5]):
            at = odd_address(address, odd)
            assert client.get(at).status_code < 500, at
    for at in ("processes/process/", "activities/activity/", "releases/release/", "config/event/"):
        for query in (
            "?q=%00",
            "?published=%00",
            "?state=%00",
            "?process=x",
            "?p=abc",
            "?o=99",
            "?e=1",
            "?id=a",
            "?p=9",
        ):
            assert client.get(f"/admin/{at}{query}").status_code < 500, at + query


def test_an_author_of_one_process_sees_that_one_only(things: dict[type, Any], stranger: User) -> None:
    mine = things[Process]
    other = Process.objects.exclude(pk=mine.pk).first()
    assert other is not None
    for verb in ("view", "change"):
        assign_perm(f"{verb}_process", staff(stranger), mine)
    client = Client()
    client.force_login(User.objects.get(pk=stranger.pk))

    page = client.get("/admin/processes/process/").content.decode()
    assert mine.name in page
    assert str(other.name) not in page
    assert client.get(f"/admin/processes/process/{mine.pk}/change/").status_code == 200
    for part in (
        "change",
        "check",
        "compare",
        "export",
        "used-by",
        "text",
        "history",
        "revisions",
        "delete",
        "publish",
    ):
        for send in (client.get, client.post):
            status = send(f"/admin/processes/process/{other.pk}/{part}/").status_code
            assert status in (403, 404), f"{part}: {status}"
    theirs = other.phases.first()
    if theirs is not None:
        assert client.get(f"/admin/processes/phase/{theirs.pk}/change/").status_code in (403, 404)
    assert client.post(f"/admin/processes/process/{mine.pk}/publish/").status_code == 403
    assert client.post(f"/admin/processes/process/{mine.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"/admin/processes/process/{mine.pk}/permissions/").status_code == 403
    assert client.get("/admin/processes/process/add/").status_code == 403
    assert client.get("/admin/activities/activity/").status_code == 403
