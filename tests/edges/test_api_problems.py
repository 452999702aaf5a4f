"""Bad input is told as a problem document, never as a failure of ours."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from processes.models import Process
from releases.models import Release
from tests.builders import start
from tests.edges.calls import Answer, Caller

pytestmark = pytest.mark.django_db

PROCESS = """
id: small
phases:
  - id: plan
    name: Plan
    owners: [group:qa]
    activities:
      - {id: sign, manual: {tasks: [{id: look, name: Look, groups: [qa]}], form: {notes: {type: text}}}}
"""
SURROGATE = '{"name": "a\\ud800"}'


@pytest.fixture
def caller(admin: User) -> Caller:
    start(PROCESS)
    return Caller(admin)


def test_a_problem_has_everything_a_program_or_a_person_needs(caller: Caller) -> None:
    answer = caller.post("releases/", {"version": 1.5, "colour": "red", "planned_start_at": "tomorrow"})
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {name: answer[name] for name in ("type", "title", "status", "instance", "code")} == {
        "type": "urn:pilothouse:problem:invalid_input",
        "title": "Bad Request",
        "status": 400,
        "instance": "/api/v1/releases/",
        "code": "invalid_input",
    }
    assert answer.paths == {"name", "colour", "planned_start_at"}
    assert all(set(fault) == {"path", "message", "cure"} for fault in answer["faults"])


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("", "application/json", 400),
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ("7", "application/json", 400),
        ('"text"', "application/json", 400),
        ('{"name": NaN}', "application/json", 400),
        ('{"name": 1e999}', "application/json", 400),
        ('{"name": "a\\u0000b"}', "application/json", 400),
        (SURROGATE, "application/json", 400),
        ('{"a\\u0000": 1}', "application/json", 400),
        ('{"given": {"inputs": {"n": 99999999999999999999999}}}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ('{"given": ' + '{"a":' * 70 + "1" + "}" * 71, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ("{}", "application/json; charset=klingon", 400),
        ("{}", "application/json; charset=base64", 400),
        ("{}", "text/csv", 415),
        ("x" * 2_000_001, "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(caller: Caller, body: str | bytes, kind: str, status: int) -> None:
    answer = caller.call("POST", "releases/", body, Content_Type=kind)
    assert answer.status == status, answer
    assert answer.code
    assert Release.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": 5, "process": ["small"]},
        {"name": "x", "process": {"id": "small"}},
        {"name": "x" * 201, "process": "small"},
        {"name": "", "process": "small"},
        {"name": "x"},
        {"name": "x", "process": "nothing"},
        {"name": "x", "process": "small", "revision": 10**30},
        {"name": "x", "process": "small", "revision": 99},
        {"name": "x", "process": "small", "revision": -1},
        {"name": "x", "process": "small", "given": []},
        {"name": "x", "process": "small", "given": {"inputs": {"unknown": 1}, "phases": 7}},
        {"name": "x", "process": "small", "input_set": "nothing"},
        {"name": "x", "process": "small", "group": 3},
        {"name": "x", "process": "small", "planned_start_at": "0000-00-00"},
        {"name": "x", "process": "small", "planned_start_at": "9999-12-31T23:59:59-23:59"},
        {"name": "x", "process": "small", "planned_start_at": "0001-01-01T00:00:00+23:59"},
        {"name": "x", "process": "small", "planned_end_at": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_plan_that_cannot_be_is_refused(caller: Caller, body: dict[str, object]) -> None:
    answer = caller.post("releases/", body)
    assert (answer.status, answer.code) == (400, "invalid_input"), answer


@pytest.mark.parametrize(
    "address",
    [
        "releases/?state=asleep",
        "releases/?colour=red",
        "releases/?page_size=0",
        "releases/?page_size=many",
        "releases/?page_size=100000000000000000000",
        "releases/?cursor=nonsense",
        "releases/?cursor=cD1hYmM%3D",
        "releases/?cursor=cD0lMDA%3D",
        "releases/?cursor=bz0tMQ%3D%3D",
        "releases/?q=%00",
        "releases/?q=%ED%A0%80%00",
        "releases/?planned_after=yesterday",
        "releases/?planned_after=0001-01-01T00:00:00%2B23:59",
        "events/?release=99999999999999999999999999",
        "events/?release=1e400",
        "events/?subject_id=NaN",
        "events/?since=-1",
        "processes/small/diff/?a=x",
        "processes/small/diff/?a=99999999999999999999",
        "processes/small/?x=1",
        "export/?document=Nothing/x",
        "export/?document=Process",
    ],
)
def test_a_query_that_is_not_understood_is_refused(caller: Caller, address: str) -> None:
    answer = caller.get(address)
    assert answer.status in (200, 400) if "0001-01-01" in address else answer.status == 400, answer
    assert answer.status == 200 or answer.code == "invalid_input"


@pytest.mark.parametrize(
    "address",
    [
        "releases/999999999/",
        "releases/99999999999999999999999999/",
        "releases/" + "9" * 5000 + "/",
        "releases/-1/",
        "releases/one/",
        "activity-runs/0/",
        "processes/%00/",
        "processes/no-such/",
        "processes/" + "a" * 300 + "/",
        "processes/small/revisions/9999999999999/",
        "processes/small/diff/?a=2147483647",
        "nowhere/",
        "releases",
    ],
)
def test_what_is_not_there_is_told_as_a_problem(caller: Caller, address: str) -> None:
    answer = caller.get(address)
    if address == "releases":
        assert answer.status == 301
        return
    assert (answer.status, answer.code) == (404, "not_found"), answer


def test_a_method_that_does_not_exist_is_refused(caller: Caller) -> None:
    answer = caller.delete("releases/")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_an_answer_in_no_language_we_speak_is_refused_in_ours(caller: Caller) -> None:
    answer = caller.get("releases/", Accept="image/png")
    assert (answer.status, answer.code) == (406, "not_acceptable")


def test_what_is_in_use_stays_and_its_users_are_named(caller: Caller) -> None:
    answer = caller.delete("processes/small/")
    assert (answer.status, answer.code) == (409, "in_use")
    assert "Release" in answer["detail"] or "revision" in answer["detail"]
    assert Process.objects.filter(slug="small").exists()


def test_a_defect_of_ours_is_a_problem_without_detail(
    caller: Caller, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("releases.policy.visible_releases", broken)
    caller.client.raise_request_exception = False
    answer = caller.get("releases/")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"secret detail" not in answer.raw


def test_a_browser_s_post_needs_the_csrf_token_and_a_token_s_does_not(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    refused = Answer(client.post("/api/v1/tokens/", "{}", "application/json"))
    assert (refused.status, refused.code) == (403, "not_permitted")


def test_a_form_s_faults_are_all_named(caller: Caller) -> None:
    run = caller.get(f"releases/{Release.objects.get().pk}/tree/")["phases"][0]["activities"][0]["id"]
    answer = caller.post(f"activity-runs/{run}/form/", {"values": {"notes": 5, "colour": "red"}})
    assert answer.paths == {"values.notes", "values.colour"}
    assert caller.post(f"activity-runs/{run}/tasks/nothing/done/").paths == {"task"}
    assert caller.post(f"activity-runs/{run}/sign-off/", {"decision": "approved"}).status in (403, 409)


def test_what_has_not_started_cannot_be_steered_and_says_why(caller: Caller) -> None:
    made = caller.post("releases/", {"process": "small", "name": "R1"})
    for verb in ("pause", "resume", "abort"):
        answer = caller.post(f"releases/{made['id']}/{verb}/", {} if verb == "resume" else {"reason": "x"})
        assert (answer.status, answer.code) == (409, "not_started")


def test_an_upload_that_is_too_large_is_refused_before_it_is_kept(caller: Caller) -> None:
    run = Release.objects.get().activity_runs.get()
    kind = "multipart/form-data; boundary=x"
    for headers in ({}, {"Idempotency_Key": "k1"}):
        answer = caller.call(
            "POST", f"activity-runs/{run.pk}/evidence/", b"x" * 25_000_001, Content_Type=kind, **headers
        )
        assert (answer.status, answer.code) == (413, "too_large")
    broken = caller.call("POST", f"activity-runs/{run.pk}/evidence/", "--x\r\nnonsense", Content_Type=kind)
    assert broken.status == 400, broken
    unnamed = caller.call("POST", f"activity-runs/{run.pk}/evidence/", "", Content_Type="multipart/form-data")
    assert unnamed.status == 400, unnamed


def test_an_address_has_no_options_but_its_methods(caller: Caller) -> None:
    assert caller.call("OPTIONS", "apply/").code == "method_not_allowed"
    assert caller.call("HEAD", "releases/").status == 200


def test_an_answer_is_for_nobody_s_cache(caller: Caller) -> None:
    assert caller.get("releases/").headers["Cache-Control"] == "private, no-cache"
