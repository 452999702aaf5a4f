"""Calls of engines: signed by their own scheme, or nothing; and what they bring about."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activities.models import Connection
from activities.secrets import set_secret
from releases.models import Attempt
from tests.builders import start, work

pytestmark = pytest.mark.django_db

PROCESS = """
id: shop
phases:
  - id: build
    activities:
      - {id: compile, automated: {connection: gh, pipeline: deploy.yml}}
"""
BODY = json.dumps({"action": "completed", "workflow_run": {"id": 100}}).encode()


@pytest.fixture
def connection() -> Connection:
    set_secret(None, "hook", "hook-secret")
    settings = {"repository": "shop/cart", "hook": {"secret": {"secret": "hook"}}}
    return Connection.objects.create(slug="gh", name="GitHub", provider="github", settings=settings)


@pytest.fixture
def attempt(connection: Connection) -> Attempt:
    release = start(PROCESS, now=timezone.now())
    work(release)
    Attempt.objects.update(reference="100", follow_at=timezone.now() + timedelta(hours=1))
    return Attempt.objects.get()


def call(body: bytes = BODY, *, slug: str = "gh", secret: str = "hook-secret", headers: Any = None) -> int:
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = {"x-hub-signature-256": signed, "x-github-event": "workflow_run", **(headers or {})}
    client = Client(enforce_csrf_checks=True)
    answer = client.post(f"/hooks/{slug}/", body, content_type="application/json", headers=given)
    assert answer.content == b""
    return answer.status_code


def is_awake(attempt: Attempt) -> bool:
    attempt.refresh_from_db()
    return attempt.follow_at is not None and attempt.follow_at <= timezone.now()


def test_a_signed_call_has_its_run_looked_at_now(attempt: Attempt) -> None:
    assert call() == 202
    assert is_awake(attempt)


def test_calls_may_come_twice_late_or_about_something_else(attempt: Attempt) -> None:
    assert [call(), call()] == [202, 202]
    other = json.dumps({"workflow_run": {"id": 7}}).encode()
    assert call(other) == 202
    assert call(b'{"zen": "Keep it logically awesome."}') == 202
    Attempt.objects.update(follow_at=None)
    assert call() == 202
    assert not is_awake(attempt)


@pytest.mark.parametrize(
    "change",
    [{"secret": "guess"}, {"headers": {"x-hub-signature-256": ""}}, {"headers": {"x-hub-signature-256": "sha256=é"}}],
)
def test_an_unsigned_call_changes_nothing(attempt: Attempt, change: dict[str, Any]) -> None:
    assert call(**change) == 401
    assert not is_awake(attempt)


def test_a_call_with_another_body_than_was_signed_changes_nothing(attempt: Attempt) -> None:
    signed = hmac.new(b"hook-secret", b"other", hashlib.sha256).hexdigest()
    assert call(headers={"x-hub-signature-256": f"sha256={signed}"}) == 401
    assert not is_awake(attempt)


def test_where_no_calls_are_taken_there_is_nothing(connection: Connection) -> None:
    Connection.objects.create(slug="local", name="Local", provider="local")
    Connection.objects.create(slug="plain", name="Plain", provider="github", settings={"repository": "a/b"})
    assert [call(slug=slug) for slug in ("absent", "local", "plain")] == [404, 404, 404]
    Connection.objects.filter(slug="gh").update(enabled=False)
    assert call() == 404


def test_only_posts_of_a_bounded_size_are_taken(connection: Connection) -> None:
    assert Client().get("/hooks/gh/").status_code == 405
    assert call(b"x" * (5 * 1024 * 1024 + 1)) == 413


def test_a_secret_without_a_value_has_the_engine_call_again(connection: Connection) -> None:
    connection.settings["hook"] = {"secret": {"secret": "unset"}}
    connection.save()
    assert call() == 503


def test_a_call_costs_a_few_queries_whoever_sends_it(attempt: Attempt, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(3):
        call(secret="guess")
    with django_assert_max_num_queries(3):
        call()
