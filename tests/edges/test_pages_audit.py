"""The audit search: who finds which events by what, page by page, and as a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection

from config.models import Event
from releases.models import Release
from releases.reading.audit import Wanted, search
from tests.edges.pages import KINDS, Reader, publish, start
from tests.edges.test_pages_costs import queries
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def auditor(db: None) -> User:
    """May see every event, and nothing else."""
    person = User.objects.create_user("auditor")
    person.user_permissions.add(Permission.objects.get(codename="view_event"))
    return person


def write(number: int = 0, **more: Any) -> Event:
    told: dict[str, Any] = {
        "at": NOON + timedelta(minutes=number),
        "actor_name": "ann",
        "verb": "process.changed",
        "subject_type": "process",
        "subject_id": 7,
        "subject_name": f"Shop {number}",
    }
    return Event.objects.create(**{**told, **more})


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    return start(publish(KINDS), manager)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("actor=ben", "1"),
        ("actor=be", ""),
        ("verb=freeze.lifted", "2"),
        ("subject=secret", "3"),
        ("subject=process&subject_id=8", "4"),
        ("release=99", "5"),
        ("release=R-99", "5"),
        ("words=demo+customer", "6"),
        ("words=%22customer+demo%22", "6"),
        ("words=demos", ""),
        ("request=abc", "7"),
        ("since=2026-03-02T12:08&until=2026-03-02T12:09", "8"),
        ("actor=ben&verb=freeze.lifted", ""),
        ("actor=+ben+", "1"),
    ],
)
def test_events_are_found_by(address: str, found: str, auditor: User) -> None:
    write(1, actor_name="ben")
    write(2, verb="freeze.lifted")
    write(3, subject_type="secret")
    write(4, subject_id=8)
    write(5, release_id=99)
    write(6, reason="The customer demo, at last")
    write(7, request_id="abc")
    write(8)
    text = Reader(auditor).open(f"/audit/?{address}")
    assert [number for number in "12345678" if f"Shop {number}" in text] == list(found)


def test_what_changed_is_told_key_by_key(auditor: User) -> None:
    before = {"state": "running", "limits": {"a": 1, "b": 2}, "same": 1}
    write(before=before, after={"state": "paused", "limits": {"a": 1, "b": 3}, "same": 1, "why": "slow"})
    write(before=None, after=["a"])
    text = Reader(auditor).open("/audit/")
    assert "3 changes What changed What Before After state running paused limits.b 2 3 why not set slow" in text
    assert 'value not set ["a"]' in text
    assert "same" not in text


@pytest.mark.parametrize("period", ["", "since=2026-03-01T00:00"])
def test_pages_follow_one_another_without_gap(period: str, auditor: User) -> None:
    for number in range(120):
        write(number % 7 * 20 + number)
    reader, seen, address = Reader(auditor), list[str](), f"/audit/?{period}"
    for _ in range(4):
        reader.open(address)
        seen += [line.partition("<")[0] for line in reader.source.split("<b>Shop ")[1:]]
        if "Older events" not in reader.text:
            break
        older = reader.source.rpartition("before=")[2].partition('"')[0]
        address = f"/audit/?{period}&before={older}"
    assert len(seen) == 120
    assert len(set(seen)) == len({number % 7 * 20 + number for number in range(120)})
    assert "Latest" in reader.text


def test_who_may_not_see_all_finds_the_events_of_their_releases(
    release: Release, owner: User, stranger: User, auditor: User
) -> None:
    write(1)
    write(2, release_id=release.pk + 1, verb="release.started")
    for person, sees in ((owner, True), (stranger, False)):
        reader = Reader(person)
        text = reader.open("/audit/")
        assert (f"R-{release.pk}" in text) is sees
        assert "Events of the releases that you may see." in text
        assert "Shop" not in text
        assert "Shop" not in reader.open(f"/audit/?release={release.pk + 1}")
        assert "Shop" not in reader.open("/audit/events.csv")
        assert "Shop" not in reader.open("/audit/events.json?actor=ann")
    text = Reader(auditor).open("/audit/")
    assert "Shop 1" in text
    assert f"R-{release.pk}" in text
    assert f'href="/releases/{release.pk}/"' not in Reader(auditor).source


def test_nobody_signed_in_is_sent_to_sign_in() -> None:
    reader = Reader()
    for address in ("/audit/", "/audit/events.csv", "/audit/events.json"):
        reader.open(address)
        assert (address, reader.status) == (address, 302)


def test_a_file_holds_what_was_asked_for(auditor: User) -> None:
    for number in range(5):
        write(number, reason="=1+1" if number == 3 else "", after={"n": number})
    write(9, actor_name="ben")
    reader = Reader(auditor)
    reader.open("/audit/events.csv?actor=ann")
    rows = list(csv.DictReader(io.StringIO(reader.source)))
    assert [row["subject_name"] for row in rows] == [f"Shop {number}" for number in (4, 3, 2, 1, 0)]
    assert (rows[0]["at"], rows[0]["after"]) == ("2026-03-02T12:04:00+00:00", '{"n": 4}')
    assert rows[1]["reason"] == "'=1+1"
    assert "attachment" in reader.headers["Content-Disposition"]
    reader.open("/audit/events.json?actor=ann")
    assert [row["after"] for row in json.loads(reader.source)] == [{"n": number} for number in (4, 3, 2, 1, 0)]
    reader.open("/audit/events.json?actor=nobody")
    assert json.loads(reader.source) == []


def test_a_file_is_read_in_parts_and_ends_somewhere(auditor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("releases.reading.audit.AT_ONCE", 4)
    monkeypatch.setattr("releases.views.audit.MOST", 10)
    for number in range(12):
        write(number // 5)
    for period in ("", "?since=2026-03-01T00:00"):
        reader = Reader(auditor)
        reader.open(f"/audit/events.json{period}")
        found = [row["id"] for row in json.loads(reader.source)]
        assert len(found) == 10
        assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("place", ["/audit/", "/audit/events.csv"])
def test_everything_wrong_with_a_search_is_told_at_once(place: str, auditor: User) -> None:
    write()
    reader = Reader(auditor)
    address = f"{place}?release=x&subject_id=-1&since=yesterday&until=9999-99-99&actor={'a' * 151}&words=%00"
    text = reader.open(address)
    assert reader.status == 400
    for name in ("release", "subject_id", "since", "until", "actor", "words"):
        assert f"<strong>{name}</strong>" in reader.source
    assert "Shop" not in text
    assert "The end is not after the beginning." in reader.open(
        f"{place}?since=2026-03-02T09:00&until=2026-03-01T09:00"
    )


@pytest.mark.parametrize(
    "address",
    [
        "before=x",
        "before=999999999999999999",
        "before=99999999999999999999",
        "since=0001-01-01T00:00",
        "until=9999-12-31T23:59",
        "since=2026-03-02T09:00&before=999999999999999999",
        "words=%22",
        "words=%2D-or+%26+%21",
        "subject=nonsense",
        "release=999999999999999999",
        "subject_id=999999999999999999",
    ],
)
def test_an_odd_search_never_fails(address: str, auditor: User) -> None:
    write()
    reader = Reader(auditor)
    reader.open(f"/audit/?{address}")
    assert reader.status in (200, 400)


def test_it_costs_the_same_for_one_event_and_for_fifty(auditor: User, owner: User, release: Release) -> None:
    Event.objects.filter(pk=write().pk)
    readers = [Reader(auditor), Reader(owner)]
    few = [queries(reader, "/audit/") for reader in readers]
    for number in range(60):
        write(number, release_id=release.pk if number % 2 else release.pk + number)
    assert [queries(reader, "/audit/") for reader in readers] == few


FILL = """
INSERT INTO config_event (at, actor_name, verb, subject_type, subject_id, subject_name, release_id, reason, request_id)
SELECT timestamptz '2026-01-01' + n * interval '1 minute', 'u' || n % 100, 'v' || n % 60, 'process', n, 'x', n / 40,
       CASE WHEN n % 50 = 0 THEN 'because ' || n ELSE '' END, CASE WHEN n % 4 = 0 THEN md5(n::text) ELSE '' END
FROM generate_series(1, 40000) AS n
"""


def test_every_search_goes_by_an_index(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE config_event")
    wanted = {
        "config_event_pkey": Wanted(),
        "event_by_actor": Wanted(actor="nobody"),
        "event_by_verb": Wanted(verb="never.done"),
        "event_by_subject": Wanted(subject="process", subject_id=77),
        "event_of_release": Wanted(release=77),
        "event_by_request": Wanted(request="abc"),
        "event_by_reason": Wanted(words="because 500"),
        "event_by_time": Wanted(until=datetime(2026, 1, 2, tzinfo=UTC)),
    }
    for name, one in wanted.items():
        plan = search(Event.objects.all(), one)[:51].explain()
        assert name in plan, plan
        assert "Seq Scan" not in plan
