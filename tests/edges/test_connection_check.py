"""Testing a connection and picking pipelines, through the API and the admin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from guardian.shortcuts import assign_perm

from activities.models import Connection, Secret
from activities.secrets import set_secret
from config import counting
from tests.edges.calls import Caller
from tests.engine_double import double
from tests.github_double import GitHub

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def questions() -> None:
    cache.clear()


@pytest.fixture
def connection(settings: Any) -> Iterator[Connection]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    set_secret(None, "gh", "gh-token")
    with double(GitHub()) as engine:
        yield Connection.objects.create(
            slug="gh",
            name="GitHub",
            provider="github",
            settings={"url": engine.url, "repository": "shop/cart"},
            secret=Secret.objects.get(name="gh"),
        )


def test_who_may_change_a_connection_may_test_it(connection: Connection, author: User, stranger: User) -> None:
    assign_perm("activities.change_connection", author, connection)
    answer = Caller(author).post("connections/gh/check/")
    assert (answer.status, answer["message"]) == (200, "GitHub knows us as octocat, who can see shop/cart.")
    assert Caller(stranger).post("connections/gh/check/").status == 404


def test_who_may_only_see_it_may_pick_and_not_test(connection: Connection, owner: User, stranger: User) -> None:
    assign_perm("activities.view_connection", owner, connection)
    assert Caller(owner).post("connections/gh/check/").code == "not_permitted"
    found = Caller(owner).get("connections/gh/pipelines/?search=dep")
    assert [one["id"] for one in found["pipelines"]] == ["deploy.yml"]
    wanted = Caller(owner).get("connections/gh/pipelines/deploy.yml/parameters/")
    assert [one["name"] for one in wanted["parameters"]] == ["pilothouse", "version", "dry", "where"]
    assert Caller(stranger).get("connections/gh/pipelines/").status == 404


def test_what_is_wrong_is_a_problem_without_the_secret(connection: Connection, author: User) -> None:
    assign_perm("activities.change_connection", author, connection)
    set_secret(None, "gh", "wrong-token")
    answer = Caller(author).post("connections/gh/check/")
    assert (answer.status, answer.code) == (424, "engine_refused")
    assert "Bad credentials" in answer["detail"]
    Connection.objects.update(settings={"url": "http://127.0.0.1:1", "repository": "shop/cart"})
    answer = Caller(author).post("connections/gh/check/")
    assert (answer.status, answer.code) == (424, "engine_unavailable")
    Connection.objects.update(settings={"url": "http://169.254.169.254", "repository": "shop/cart"})
    answer = Caller(author).post("connections/gh/check/")
    assert (answer.status, answer.code) == (424, "engine_refused")
    assert "link-local" in answer["detail"]
    Connection.objects.update(provider="local", settings={})
    assert Caller(author).post("connections/gh/check/").code == "engine_refused"


def test_questions_are_counted_per_person(connection: Connection, author: User, owner: User) -> None:
    for person in (author, owner):
        assign_perm("activities.view_connection", person, connection)
    caller = Caller(author)
    statuses = [caller.get("connections/gh/pipelines/").status for _ in range(31)]
    assert set(statuses[:30]) == {200}
    assert statuses[30] == 429
    assert caller.get("connections/gh/pipelines/").headers["Retry-After"] == "60"
    assert Caller(owner).get("connections/gh/pipelines/").status == 200


def test_questions_are_counted_by_all_processes_together(connection: Connection, author: User) -> None:
    assign_perm("activities.view_connection", author, connection)

    def ask() -> int:
        """Ask as another process would, which knows nothing of this one."""
        counting._counter.cache_clear()
        cache.clear()
        return Caller(author).get("connections/gh/pipelines/").status

    assert [ask() for _ in range(31)] == [200] * 30 + [429]


def test_without_redis_each_process_counts_for_itself(connection: Connection, author: User, settings: Any) -> None:
    assign_perm("activities.view_connection", author, connection)
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert [Caller(author).get("connections/gh/pipelines/").status for _ in range(31)] == [200] * 30 + [429]


def test_a_span_ends(settings: Any) -> None:
    assert [counting.count("spans", within=1) for _ in range(2)] == [1, 2]
    time.sleep(1.1)
    assert counting.count("spans", within=1) == 1
    assert counting.count("others", within=1) == 1


def test_the_admin_tests_and_picks(connection: Connection, admin: User, client: Any) -> None:
    client.force_login(admin)
    base = f"/admin/activities/connection/{connection.pk}"
    assert "octocat" not in client.get(f"{base}/check/").content.decode()
    assert "octocat" in client.post(f"{base}/check/").content.decode()
    assert "deploy.yml" in client.get(f"{base}/pipelines/").content.decode()
    shown = client.get(f"{base}/pipelines/", {"pipeline": "deploy.yml"}).content.decode()
    assert "What to deploy" in shown
    assert "It does not work" not in shown
    shown = client.get(f"{base}/pipelines/", {"pipeline": "../x<b>"}).content.decode()
    assert "It does not work" in shown
    assert "<b>" not in shown


def test_the_admin_keeps_strangers_out(connection: Connection, owner: User, stranger: User, client: Any) -> None:
    base = f"/admin/activities/connection/{connection.pk}"
    for person in (owner, stranger):
        person.is_staff = True
        person.save()
    assign_perm("activities.view_connection", owner, connection)
    client.force_login(stranger)
    assert {client.get(f"{base}/{page}/").status_code for page in ("check", "pipelines")} <= {403, 404}
    client.force_login(owner)
    assert client.post(f"{base}/check/").status_code == 403
    assert client.get(f"{base}/pipelines/").status_code == 200
    assert "Test connection" not in client.get(f"{base}/change/").content.decode()
