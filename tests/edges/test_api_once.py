"""A POST with an Idempotency-Key happens once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from config import idempotency
from config.models import ApiToken, IdempotencyKey
from processes.models import Process
from releases.models import Release
from tests.builders import start
from tests.edges.calls import Answer, Caller

PROCESS = """
id: small
phases:
  - {id: plan, name: Plan, activities: [{id: prove, manual: {evidence: {required: 2}}}]}
"""
BODY = {"process": "small", "name": "R1"}


@pytest.fixture
def process(db: None) -> Process:
    return Process.objects.create(slug="small", name="Small")


@pytest.fixture
def caller(admin: User, process: Process) -> Caller:
    return Caller(admin)


def test_the_same_request_gets_the_same_answer_and_happens_once(caller: Caller) -> None:
    first = caller.post("releases/", BODY, Idempotency_Key="k1")
    again = caller.post("releases/", BODY, Idempotency_Key="k1")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Release.objects.count() == 1


def test_the_key_of_another_request_is_refused(caller: Caller) -> None:
    caller.post("releases/", BODY, Idempotency_Key="k1")
    other = caller.post("releases/", {**BODY, "name": "R2"}, Idempotency_Key="k1")
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    elsewhere = caller.post("processes/small/check/", {}, Idempotency_Key="k1")
    assert (elsewhere.status, elsewhere.code) == (409, "idempotency_mismatch")
    assert Release.objects.count() == 1


def test_another_person_s_key_is_another_key(caller: Caller, manager: User) -> None:
    caller.post("releases/", BODY, Idempotency_Key="k1")
    assert Caller(manager).post("releases/", BODY, Idempotency_Key="k1").status == 201
    assert Release.objects.count() == 2


def test_a_refusal_is_remembered_too(caller: Caller) -> None:
    refused = caller.post("releases/", {"name": "R1"}, Idempotency_Key="k1")
    again = caller.post("releases/", {"name": "R1"}, Idempotency_Key="k1")
    assert (refused.status, again.status, again.headers["Idempotency-Replayed"]) == (400, 400, "true")
    assert again.body == refused.body
    assert again.code == "invalid_input"


def test_what_was_refused_for_who_asked_is_asked_again(caller: Caller, stranger: User) -> None:
    outsider = Caller(stranger)
    assert outsider.post("apply/", "{kind: Resource, id: x, name: X, type: service}", Idempotency_Key="k").status == 403
    assert not IdempotencyKey.objects.exists()


def test_a_failure_of_ours_is_not_remembered(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        Release.objects.create(process=Process.objects.get(), name="half", created_at="2026-01-01T00:00Z")
        raise ZeroDivisionError

    caller.client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("releases.services.planning.create_release", broken)
        assert caller.post("releases/", BODY, Idempotency_Key="k1").status == 500
    assert not Release.objects.exists()
    assert caller.post("releases/", BODY, Idempotency_Key="k1").status == 201


@pytest.mark.parametrize("key", ["", " " * 3 + "\x7f", "x" * 201, "ключ"])
def test_a_key_that_is_none_is_refused(caller: Caller, key: str) -> None:
    answer = caller.post("releases/", BODY, Idempotency_Key=key)
    assert (answer.status, answer.paths) == (400, {"Idempotency-Key"})


def test_a_token_s_key_is_never_remembered(caller: Caller) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    first = caller.post("tokens/", body, Idempotency_Key="k1")
    again = caller.post("tokens/", body, Idempotency_Key="k1")
    assert first["key"].startswith("ph_")
    assert (again.status, again["key"], again["id"]) == (201, "", first["id"])
    assert ApiToken.objects.count() == 1
    assert first["key"] not in str(list(IdempotencyKey.objects.values()))


def test_an_upload_sent_again_is_kept_once(admin: User) -> None:
    release = start(PROCESS)
    run = release.activity_runs.get()
    caller = Caller(admin)

    def send(content: bytes) -> Answer:
        file = SimpleUploadedFile("proof.txt", content)
        address = f"/api/v1/activity-runs/{run.pk}/evidence/"
        return Answer(caller.client.post(address, {"file": file}, headers={"Idempotency-Key": "k1"}))

    assert [send(b"one").status, send(b"one").status] == [201, 201]
    assert run.evidence.count() == 1
    assert bytes(run.evidence.get().file.read()) == b"one"
    assert send(b"two").code == "idempotency_mismatch"


@pytest.fixture
def held_key(process: Process, admin: User) -> Iterator[None]:
    """Somebody else's connection is answering a request with the admin's key `k1`."""
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert idempotency._take(admin, "k1")
            holding.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    yield
    done.set()
    thread.join()


def test_a_request_that_is_being_answered_is_not_answered_twice(caller: Caller, held_key: None) -> None:
    answer = caller.post("releases/", BODY, Idempotency_Key="k1")
    assert (answer.status, answer.code) == (409, "in_progress")
    assert caller.post("releases/", BODY, Idempotency_Key="k2").status == 201


def test_without_a_key_every_request_counts(caller: Caller) -> None:
    caller.post("releases/", BODY)
    caller.post("releases/", BODY)
    assert Release.objects.count() == 2
