"""Another release that stands in the way is named, by its number too, only to those who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from guardian.shortcuts import assign_perm

from processes.models import Process
from releases.models import Release
from releases.services.checking import check_release
from releases.services.starting import start_release
from tests.edges.calls import Caller
from tests.edges.desk import Desk, staff
from tests.edges.pages import Reader, page_of, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

CART = """
kind: Resource
id: cart
name: Cart
type: service
exclusive: true
"""
NEEDS_IT = """
kind: Process
id: {slug}
name: {slug}
resources: [cart]
phases: [{{id: only, name: Only, activities: [{{id: look, manual: {{instructions: Look.}}}}]}}]
"""


@pytest.fixture
def holder(engine: ScriptedRunner, manager: User) -> Release:
    """A running release of a process of its own, which holds the cart."""
    return start(publish(CART + "---" + NEEDS_IT.format(slug="secret")), manager, name="Hush")


@pytest.fixture
def release(holder: Release, manager: User) -> Release:
    return plan(publish(NEEDS_IT.format(slug="shop")), manager)


@pytest.fixture
def starter(release: Release, stranger: User) -> User:
    """Starts and operates releases of the shop alone."""
    for verb in ("start", "operate"):
        assign_perm(f"{verb}_process", stranger, Process.objects.get(slug="shop"))
    return User.objects.get(pk=stranger.pk)


def ignored(release: Release, manager: User) -> Release:
    """The release, started in spite of what holds the cart."""
    return start_release(manager, release, now=timezone.now(), break_glass="Outage")


def test_a_start_that_is_refused(release: Release, holder: Release, starter: User, manager: User) -> None:
    for who, path in ((manager, f"R-{holder.pk}"), (starter, "")):
        answer = Caller(who).post(f"releases/{release.pk}/start/", {})
        assert (answer.status, answer.code, answer.paths) == (409, "conflict", {path})
        assert "'cart' is held by a running release" in answer["detail"]
        assert "Hush" not in str(answer)


def test_why_it_is_blocked(release: Release, holder: Release, starter: User, manager: User) -> None:
    check_release(release.pk, now=timezone.now())
    for who, path in ((manager, f"R-{holder.pk}"), (starter, "")):
        links = Caller(who).get(f"releases/{release.pk}/blocked/")["links"]
        assert [(link["kind"], link["path"]) for link in links] == [("draft", ""), ("conflict", path)]


def test_what_was_ignored(release: Release, holder: Release, starter: User, manager: User) -> None:
    ignored(release, manager)
    for who, path in ((manager, f"R-{holder.pk}"), (starter, "")):
        [debt] = Caller(who).get("break-glass/")["results"]
        assert [one["path"] for one in debt["ignored"]] == [path]
        assert Caller(who).get(f"break-glass/{debt['id']}/")["ignored"] == debt["ignored"]
        text = Desk(staff(who)).open("releases_breakglass_change", debt["id"]).text
        assert "is held by a running release" in text
        assert (f"R-{holder.pk}" in text) is bool(path)
    release.break_glass.refresh_from_db()
    assert release.break_glass.ignored[0]["path"] == f"R-{holder.pk}", "what is stored stays whole"


def test_what_happened(release: Release, holder: Release, starter: User, manager: User) -> None:
    check_release(release.pk, now=timezone.now())
    ignored(release, manager)
    for who, sees in ((manager, True), (starter, False)):
        events = {one["verb"]: one for one in Caller(who).get(f"releases/{release.pk}/events/")["results"]}
        path = f"R-{holder.pk}" if sees else ""
        assert events["release.glass_broken"]["after"][0]["path"] == path
        assert events["release.preflight_changed"]["after"]["stops"] == [f"conflict {path}".strip()]
        reader = Reader(who)
        assert (f"R-{holder.pk}" in reader.open(page_of(release, "events/"))) is sees
        assert (f"R-{holder.pk}" in Desk(staff(who)).open("releases_release_history", release.pk).text) is sees


def test_a_page_of_debts_costs_the_same_however_many_releases_they_mention(
    release: Release, holder: Release, starter: User, manager: User, django_assert_max_num_queries: Any
) -> None:
    ignored(release, manager)
    caller = Caller(starter)
    caller.get("break-glass/")
    for _ in range(4):
        ignored(plan(release.process, manager), manager)
    with django_assert_max_num_queries(15):
        assert len(caller.get("break-glass/")["results"]) == 5
