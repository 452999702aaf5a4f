"""Whoever may not see a release finds nothing at any of its addresses, and can change nothing there."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from activities.runners import Outcome
from config.models import Event
from releases import urls
from releases.models import Evidence, Release
from releases.views import acting
from releases.views import release as release_views
from tests.builders import phase_of, run_of
from tests.edges.pages import KINDS, Reader, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db
OPEN_TO_ALL = {"home", "waiting", "act-on-waiting", "list", "create", "act-on-several", "save-view"}
VIEWS = {"rename-view", "delete-view"}  # nothing of a release: see test_pages_bulk


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    engine.script["check"] = [Outcome("failed", error="broke", log="measuring")]
    return start(publish(KINDS), manager)


def addresses(release: Release) -> list[str]:
    """Every address that speaks of this release, with every verb."""
    runbook = run_of(release, "prepare/runbook")
    file = Evidence.objects.create(
        activity_run=runbook,
        attempt=1,
        name="x",
        size=1,
        sha256="",
        at=timezone.now(),
        file=ContentFile(b"x", name="x"),
    )
    known = {"pk": release.pk, "phase_pk": phase_of(release, "prepare").pk, "number": 1, "evidence_pk": file.pk}
    found = []
    for pattern in routes():
        for verb in verbs_of(pattern):
            text = f"/{pattern.pattern}"
            run = run_of(release, "prepare/check") if "logs" in text else runbook
            for name, value in {**known, "run_pk": run.pk}.items():
                text = text.replace(f"<int:{name}>", str(value))
            found.append(text.replace("<slug:verb>", verb))
    assert not [text for text in found if "<" in text]
    return found


def routes() -> list[URLPattern]:
    resolver = next(entry for entry in urls.urlpatterns if isinstance(entry, URLResolver))
    patterns = [entry for entry in resolver.url_patterns if isinstance(entry, URLPattern)]
    return [entry for entry in patterns if entry.name not in OPEN_TO_ALL | VIEWS]


def verbs_of(pattern: URLPattern) -> list[str]:
    if pattern.name == "act":
        return list(release_views.VERBS)
    return list(acting.VERBS) if pattern.name == "act-on-activity" else [""]


def test_a_stranger_finds_nothing_anywhere(release: Release, stranger: User) -> None:
    reader = Reader(stranger)
    found = addresses(release)
    assert len(found) > 20
    told = Event.objects.count()
    for address in found:
        if "/do/" not in address and "restart" not in address:
            reader.open(address)
            assert (address, reader.status) == (address, 404)
            assert "Spring" not in reader.text
        reader.send(address, reason="x", decision="approved", task="look", body="x")
        assert (address, reader.status) in ((address, 404), (address, 405))
    release.refresh_from_db()
    assert (release.state, Event.objects.count()) == ("running", told)


def test_nobody_signed_in_is_sent_to_sign_in_everywhere(release: Release) -> None:
    reader = Reader()
    for address in [
        "/",
        "/home/waiting/",
        "/home/do/",
        "/releases/",
        "/releases/do/",
        "/releases/views/",
        "/releases/new/",
        *addresses(release),
    ]:
        reader.open(address)
        assert (address, reader.status) == (address, 302)
        assert reader.headers["Location"].startswith("/sign-in/?next=")
        reader.send(address)
        assert (address, reader.status) in ((address, 302), (address, 405))
        assert not reader.location or reader.location.startswith("/sign-in/")


def test_the_list_and_the_search_tell_a_stranger_nothing(release: Release, stranger: User) -> None:
    reader = Reader(stranger)
    assert "Spring" not in reader.open("/")
    assert "Spring" not in reader.open("/releases/")
    assert "Spring" not in reader.open("/releases/?q=spring").replace('value="spring"', "")


def test_pages_are_kept_by_no_cache(release: Release, manager: User) -> None:
    reader = Reader(manager)
    for address in addresses(release):
        if "/do/" not in address and "restart" not in address and "start" not in address and "move" not in address:
            reader.open(address)
            assert reader.status == 200
            assert "no-store" in reader.headers["Cache-Control"]
