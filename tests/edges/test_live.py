"""Who may hear of changes: what the view grants, and that a change is told after its commit, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as site
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from config import hints
from config.hints import address_of, channel_of
from config.live.grant import PERSON, TOPICS
from releases.models import Release, ReleaseGroup
from releases.services import running
from releases.services.noticing import make_notices
from tests.builders import run_of
from tests.edges.pages import KINDS, Reader, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    return plan(publish(KINDS), manager)


def ask(user: User | None, topics: str) -> tuple[int, str]:
    client = Client()
    if user is not None:
        client.force_login(user)
    answer = client.get("/live/", {"topics": topics})
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, answer.headers.get(TOPICS, "")


def test_whoever_sees_a_release_hears_of_it(release: Release, manager: User) -> None:
    assert ask(manager, f"release:{release.pk} releases") == (204, f"release:{release.pk} releases")
    client = Client()
    client.force_login(manager)
    assert client.get("/live/?topics=releases")[PERSON] == str(manager.pk)


def test_a_stranger_hears_of_no_release_not_even_beside_other_topics(release: Release, stranger: User) -> None:
    for topics in (f"release:{release.pk}", f"releases release:{release.pk}", "release:999999"):
        assert ask(stranger, topics) == (404, "")
    assert ask(stranger, "releases") == (204, "releases")


def test_nobody_signed_in_hears_anything(release: Release) -> None:
    assert ask(None, f"release:{release.pk}") == (401, "")
    assert ask(None, "releases") == (401, "")


@pytest.mark.parametrize(
    "topics",
    [
        *("", "release", "release:", "release:-1", "release:01", "release:²", "release:1%00", "group:1", "1"),
        "release:" + "9" * 30,
        " ".join(f"release:{number}" for number in range(101)),
    ],
)
def test_what_is_no_topic_is_refused(manager: User, topics: str) -> None:
    assert ask(manager, topics) == (400, "")


def test_asking_takes_the_same_few_queries_for_one_topic_and_for_many(
    release: Release, manager: User, owner: User, django_assert_max_num_queries: Any
) -> None:
    many = " ".join(f"release:{plan(release.process, manager).pk}" for _ in range(20))
    for person in (manager, owner):
        client = Client()
        client.force_login(person)
        client.get("/live/?topics=releases")
        for topics in (f"release:{release.pk}", many):
            with django_assert_max_num_queries(8):
                client.get("/live/", {"topics": topics})


@pytest.fixture
def words() -> Iterator[redis.client.PubSub]:
    """What is told through Redis from now on."""
    client = redis.Redis.from_url(address_of(site.CELERY_BROKER_URL), decode_responses=True)
    with client.pubsub() as heard:
        heard.subscribe(channel_of(client.connection_pool))
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        yield heard
    client.close()


def told(words: redis.client.PubSub) -> list[str]:
    found = []
    while (message := words.get_message(timeout=0.3)) is not None:
        found.append(message["data"])
    return found


@pytest.mark.django_db(transaction=True)
def test_one_transaction_tells_one_word_and_only_after_its_commit(words: redis.client.PubSub) -> None:
    with transaction.atomic():
        for number in (12, 13, 12):
            with transaction.atomic():
                hints.changed(number)
        hints.changed(None)
        assert told(words) == []
    assert told(words) == ["12 13"]


def change_and_fail(number: int) -> None:
    with transaction.atomic():
        hints.changed(number)
        raise ValueError("no")


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_told(words: redis.client.PubSub) -> None:
    with pytest.raises(ValueError, match="no"):
        change_and_fail(12)
    with transaction.atomic():
        with pytest.raises(ValueError, match="no"):
            change_and_fail(13)
        hints.changed(14)
    assert told(words) == ["14"]


@pytest.mark.django_db(transaction=True)
def test_everything_that_happens_to_a_release_is_told(
    words: redis.client.PubSub, engine: ScriptedRunner, manager: User
) -> None:
    release = start(publish(KINDS), manager)
    assert f"{release.pk}" in told(words)
    running.pause_release(manager, release, now=timezone.now())
    assert set(told(words)) == {f"{release.pk}"}


@pytest.mark.django_db(transaction=True)
def test_a_notice_is_told(words: redis.client.PubSub, engine: ScriptedRunner, manager: User) -> None:
    run = run_of(start(publish(KINDS), manager), "prepare/runbook")
    told(words)
    for people in ([], [manager]):
        with transaction.atomic():
            make_notices(run, people, kind="asked", key="again", now=timezone.now())
        assert told(words) == [f"{run.release_id}"] * len(people)


@pytest.mark.parametrize("address", ["/groups/", "/groups/train/", "/notices/"])
def test_pages_of_more_than_one_release_refresh_themselves(release: Release, manager: User, address: str) -> None:
    ReleaseGroup.objects.create(slug="train", name="Train", process=release.process, body={})
    reader = Reader(manager)
    reader.open(address)
    assert (f'data-live="releases" hx-get="{address}"' in reader.source, "vendor/htmx" in reader.source) == (True, True)
    reader.open(address, HX_Request="true", HX_Target="div#live")
    assert ("<html" in reader.source, f'data-live="releases" hx-get="{address}"' in reader.source) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_is_away_is_left_alone_for_a_while_and_harms_nobody(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    for _ in range(20):
        with transaction.atomic():
            hints.changed(12)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "Open pages are not told of changes, since Redis cannot be reached"
    ]
