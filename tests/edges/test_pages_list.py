"""The list of releases and what waits for its reader."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.runners import Outcome
from releases.models import Release
from tests.edges.pages import KINDS, Reader, page_of, plan, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db


def test_without_releases_the_list_says_what_to_do_next(manager: User, stranger: User, admin: User) -> None:
    assert "Create the first one" not in Reader(stranger).open("/releases/")
    assert "Ask a release manager" in Reader(stranger).open("/releases/")
    assert "Publish a process" in Reader(admin).open("/releases/")
    publish(KINDS)
    reader = Reader(manager)
    assert "Create the first one" in reader.open("/releases/")
    assert "/releases/new/" in reader.source


def test_a_row_tells_name_version_process_state_health_and_progress(manager: User, engine: ScriptedRunner) -> None:
    engine.script["check"] = [failed()]
    start(publish(KINDS), manager, name="Big move")
    text = Reader(manager).open("/releases/")
    for word in (
        "Big move",
        "1.2.3",
        "Database move",
        "@1",
        "ad hoc",
        "Running",
        "On hold",
        "0 of 4",
        "UTC",
        "manager",
    ):
        assert word in text


def test_moments_are_in_the_reader_s_zone_and_say_which(manager: User, engine: ScriptedRunner) -> None:
    release = start(publish(KINDS), manager)
    Release.objects.filter(pk=release.pk).update(started_at="2026-03-02T09:00:00Z")
    reader = Reader(manager)
    reader.client.cookies["zone"] = "Asia/Tokyo"
    assert "2 Mar 2026, 18:00 JST" in reader.open("/releases/") or "2 Mar, 18:00 JST" in reader.text
    assert 'title="2026-03-02 09:00:00 UTC"' in reader.source
    reader.client.cookies["zone"] = "../../etc/passwd"
    assert "09:00 UTC" in reader.open("/releases/")


def test_searching_and_filtering_narrow_the_list(manager: User, engine: ScriptedRunner) -> None:
    process = publish(KINDS)
    plan(process, manager, name="Alpha", version="9.1")
    start(process, manager, name="Beta", version="2")
    reader = Reader(manager)
    assert "Alpha" in reader.open("/releases/?q=alp+9")
    assert "Beta" not in reader.text
    assert "Alpha" not in reader.open("/releases/?state=running")
    assert "No release matches" in reader.open("/releases/?q=gamma")
    assert "Alpha" in reader.open("/releases/?state=nonsense&before=nonsense")
    assert "Alpha" in reader.open("/releases/?q=%00alpha%00&after=%00&since=0001-01-01&until=9999-12-31&sort=id;")


def test_long_lists_are_read_page_by_page(manager: User) -> None:
    process = publish(KINDS)
    for number in range(32):
        plan(process, manager, name=f"Number-{number:02}")
    reader = Reader(manager)
    reader.open("/releases/")
    assert ("Number-31" in reader.text, "Number-02" in reader.text, "Number-01" in reader.text) == (True, True, False)
    older = Release.objects.get(name="Number-02").pk
    assert f"after={older}~" in reader.source
    assert "Number-01" in reader.open(f"/releases/?after={older}~")
    assert "Number-02" not in reader.text
    first = Release.objects.get(name="Number-01").pk
    assert f"before={first}~" in reader.source
    reader.open(f"/releases/?before={first}~")
    assert ("Number-31" in reader.text, "Number-02" in reader.text, "Number-01" in reader.text) == (True, True, False)


def test_what_runs_comes_first_and_what_is_planned_is_folded_away(manager: User, engine: ScriptedRunner) -> None:
    process = publish(KINDS)
    start(process, manager, name="Live")
    for number in range(3):
        Release.objects.create(
            process=process,
            name=f"Train-{number}",
            state="scheduled",
            created_at=timezone.now(),
            planned_start_at=timezone.now() + timedelta(days=9 - number),
        )
    plan(process, manager, name="Sketch")
    reader = Reader(manager)
    text = reader.open("/releases/")
    order = [text.index(word) for word in ("Live", "Planned 3", "next Train-2", "Train-1", "Train-0", "Sketch")]
    assert order == sorted(order)
    assert "<details" in reader.source
    assert "No releases yet" not in text
    shown = reader.open("/releases/?q=train")
    assert ("Train-0" in shown, "Planned 3" in shown, "Live" in shown) == (True, False, False)
    Release.objects.exclude(state="scheduled").delete()
    assert "No releases yet" not in reader.open("/releases/")
    assert " open>" in reader.source


def test_more_that_is_planned_than_a_page_holds_has_a_page_of_its_own(manager: User) -> None:
    process, now = publish(KINDS), timezone.now()
    Release.objects.bulk_create(
        Release(process=process, name="Train", state="scheduled", created_at=now, planned_start_at=now)
        for _ in range(35)
    )
    reader = Reader(manager)
    assert "Planned 35" in reader.open("/releases/")
    assert "/releases/?state=scheduled" in reader.source
    assert reader.source.count("not started") == 15


def test_only_the_list_comes_when_the_page_asks_for_it_alone(manager: User) -> None:
    plan(publish(KINDS), manager)
    reader = Reader(manager)
    reader.open("/releases/", HX_Target="div#list")
    assert reader.source.lstrip().startswith('<div id="list" ')


def test_a_name_is_shown_as_it_is_and_never_run(manager: User, engine: ScriptedRunner) -> None:
    engine.script["check"] = [Outcome("succeeded")]
    nasty = "<img src=x onerror=alert(1)>" + "w" * 150
    release = start(publish(KINDS), manager, name=nasty, version="<b>1</b>")
    reader = Reader(manager)
    for address in ("/", "/releases/", page_of(release), page_of(release, "values/"), page_of(release, "events/")):
        assert nasty in reader.open(address)
        assert "<img" not in reader.source
        assert "<b>1</b>" not in reader.source
