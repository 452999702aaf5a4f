"""The provider `gitlab` against a double of GitLab's API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Called, Connected
from activities.providers.gitlab import GitLabEngine
from activities.runners import Order, Outcome
from config.errors import NotPermitted, RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.gitlab_double import GitLab, job

KEY = "7-1-1700000000000000"
NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
ENGINE = GitLabEngine()
ASKING = Asking(ENGINE, "gl-token")
ask, start = ASKING.ask, ASKING.start
INPUTS = {"pass": "inputs", "key": "pilothouse"}


@pytest.fixture
def gitlab(settings: Any) -> Iterator[GitLab]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    gitlab = GitLab()
    with double(gitlab) as api:
        gitlab.url, gitlab.asked = api.url, api.asked
        yield gitlab


def order_for(gitlab: GitLab, *, pipeline: str = "shop/cart", **rest: Any) -> Order:
    settings = {"url": gitlab.url, **rest.pop("settings", {})}
    parameters = rest.pop("parameters", {"VERSION": "1.4.0"})
    given = {"started_at": NOW, "masks": ("gl-token",), **rest}
    return Order(KEY, settings, {"pipeline": pipeline}, "gl-token", parameters, **given)


def look(order: Order, reference: str = "100", offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def test_parameters_become_variables_of_a_pipeline_on_the_default_branch(gitlab: GitLab) -> None:
    outcome = start(order_for(gitlab))
    assert (outcome.status, outcome.reference) == ("running", "100")
    assert outcome.link == "https://gitlab.com/shop/cart/-/pipelines/100"
    variables = [{"key": "VERSION", "value": "1.4.0"}, {"key": "PILOTHOUSE_KEY", "value": KEY}]
    assert gitlab.sent == [{"ref": "trunk", "variables": variables}]


def test_parameters_become_typed_inputs_where_the_connection_says_so(gitlab: GitLab) -> None:
    parameters = {"version": "1.10", "dry": "true", "count": "3", "tags": '["a"]', "id": "007"}
    start(order_for(gitlab, settings=INPUTS, parameters=parameters))
    inputs = {"version": 1.1, "dry": True, "count": 3, "tags": ["a"], "id": "007", "pilothouse": KEY}
    assert gitlab.sent[0]["inputs"] == {**inputs, "version": "1.10"}


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(201, b'{"id": 1', promised=40)])
def test_a_lost_answer_finds_the_pipeline_by_its_variables(gitlab: GitLab, lost: Reply) -> None:
    gitlab.lost = [lost]
    order = order_for(gitlab)
    with pytest.raises(RunnerUnavailable):
        start(order)
    assert start(replace(order, again=True)).reference == "100"
    assert len(gitlab.sent) == 1


def test_a_lost_answer_finds_the_pipeline_by_its_name(gitlab: GitLab) -> None:
    gitlab.names, gitlab.lost, gitlab.shows_variables = True, [Reply(hang_up=True)] * 2, False
    for order in (order_for(gitlab), order_for(gitlab, settings=INPUTS)):
        with pytest.raises(RunnerUnavailable):
            start(order)
        assert start(replace(order, again=True)).reference == "100"
        gitlab.made.clear()
    assert len(gitlab.sent) == 2


def test_what_was_never_started_is_started_when_asked_again(gitlab: GitLab) -> None:
    assert start(order_for(gitlab, again=True)).reference == "100"
    gitlab.variables[100] = [{"key": "PILOTHOUSE_KEY", "value": "another"}]
    assert start(order_for(gitlab, again=True)).reference == "101"


@pytest.mark.parametrize("said", [{}, {"pass": "inputs"}, INPUTS])
def test_a_lost_answer_that_nothing_tells_from_others_is_left_to_a_person(gitlab: GitLab, said: dict[str, str]) -> None:
    gitlab.shows_variables, gitlab.lost = False, [Reply(hang_up=True)]
    order = order_for(gitlab, settings=said)
    with pytest.raises(RunnerUnavailable):
        start(order)
    with pytest.raises(RunnerRefused, match="workflow:name"):
        start(replace(order, again=True))
    assert len(gitlab.sent) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "shop/cart", "ref": "nowhere"}}, "Reference not found"),
        ({"spec": {"pipeline": "shop/absent"}}, "Project Not Found"),
        ({"spec": {"pipeline": "../user"}}, "cannot be a project"),
        ({"spec": {"pipeline": "cart"}}, "cannot be a project"),
        ({"secret": "wrong"}, "Unauthorized"),
    ],
)
def test_a_wrong_order_is_refused(gitlab: GitLab, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        start(replace(order_for(gitlab), **change))
    assert gitlab.sent == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("created", "running"), ("waiting_for_resource", "running"), ("preparing", "running"), ("pending", "running"),
        ("running", "running"), ("canceling", "running"), ("manual", "running"), ("scheduled", "running"),
        ("something_new", "running"), ("success", "succeeded"), ("failed", "failed"), ("canceled", "cancelled"),
        ("skipped", "failed"),
    ],
)  # fmt: skip
def test_each_status_means_something(gitlab: GitLab, said: str, status: str) -> None:
    order = order_for(gitlab)
    start(order)
    gitlab.finish(100, said)
    assert look(order).status == status


def test_a_pipeline_that_goes_well_hands_back_its_outputs(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    gitlab.artifacts["/jobs/3/artifacts/outputs.json"] = json.dumps({"image": "shop:1", "size": 12}).encode()
    handing = job(3, "build", "success", artifacts_file={"filename": "pilothouse-outputs.zip", "size": 9})
    gitlab.finish(100, "success", job(5, "deploy", "success"), handing)
    outcome = look(order)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {"commit": "4f1c2ab", "image": "shop:1", "size": "12"}
    assert outcome.log.startswith("… (the beginning of 'deploy' is left out)\nline ")
    assert outcome.log.endswith("log of 5\n")
    assert len(outcome.log) < 70_000


def test_outputs_are_found_among_more_jobs_than_one_page_has(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    gitlab.artifacts["/jobs/3/artifacts/outputs.json"] = json.dumps({"image": "shop:1"}).encode()
    handing = job(3, "build", "success", artifacts_file={"filename": "pilothouse-outputs.zip", "size": 9})
    others = [job(number, f"test {number}", "success") for number in range(110, 5, -1)]
    gitlab.finish(100, "success", *others, handing)
    assert look(order).outputs == {"commit": "4f1c2ab", "image": "shop:1"}


def test_outputs_that_cannot_be_used_fail_the_attempt_with_a_reason(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    handing = job(3, "build", "success", artifacts_file={"filename": "pilothouse-outputs.zip", "size": 9})
    gitlab.finish(100, "success", handing)
    assert "have no outputs.json" in look(order).error
    for content, words in {b"0" * 300_000: "larger than", b"[1]": "not a mapping", b"{": "not JSON"}.items():
        gitlab.artifacts["/jobs/3/artifacts/outputs.json"] = content
        outcome = look(order)
        assert outcome.status == "failed"
        assert words in outcome.error


def test_a_failure_says_where_and_shows_the_log_of_the_job_that_failed(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    lint = job(2, "lint", "failed", allow_failure=True)
    failed = job(3, "test", "failed", failure_reason="script_failure")
    gitlab.finish(100, "failed", job(9, "deploy", "skipped", started_at=None), lint, failed)
    outcome = look(order)
    assert outcome.error == "Job 'test': failed (script failure)"
    assert outcome.log.endswith("log of 3\n")


def test_the_log_of_each_job_is_followed_while_it_grows(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    build, waits = job(4, "build", "running", finished_at=None), job(5, "deploy", "created", started_at=None)
    gitlab.finish(100, "running", waits, build)
    gitlab.traces[4] = b"compiling\nlink"
    first = look(order)
    assert (first.status, first.log, first.log_offset) == ("running", "── build ──\ncompiling\n", 10)
    assert look(order, offset=10).log == ""
    gitlab.traces[4] += b"ing\nthe end"
    again = job(6, "build", "running", started_at="2026-11-27T10:05:00Z")
    gitlab.traces[6] = b"once more\n"
    gitlab.finish(100, "running", again, waits, job(4, "build", "failed"))
    second = look(order, offset=first.log_offset)
    assert second.log == "linking\nthe end── build ──\nonce more\n"
    gitlab.traces[6] += b"all is well\n"
    gitlab.finish(
        100, "success", job(6, "build", "success", started_at="2026-11-27T10:05:00Z"), job(4, "build", "failed")
    )
    last = look(order, offset=second.log_offset)
    assert (last.status, last.error, last.log) == ("succeeded", "", "all is well\n")
    assert last.log_offset > second.log_offset > first.log_offset


def test_a_pipeline_that_vanishes_has_failed_and_a_bad_moment_changes_nothing(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    start(order)
    gitlab.next = [Reply(429, {"message": "Retry later"}, {"Retry-After": "30"})]
    with pytest.raises(RunnerUnavailable) as limited:
        look(order)
    assert limited.value.retry_after == 30
    for broken in (Reply(503, b"<html>"), Reply(200, b'{"id": 100, "sta'), Reply(200, b"[]")):
        gitlab.next = [broken]
        with pytest.raises(RunnerUnavailable) as error:
            look(order)
        assert "gl-token" not in error.value.message
    gitlab.made.clear()
    assert "deleted" in look(order).error


def test_a_pipeline_is_cancelled_by_its_id_or_its_key(gitlab: GitLab) -> None:
    order = order_for(gitlab)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "100", web))
    ask(lambda web: ENGINE.cancel(order, "", web))
    ask(lambda web: ENGINE.cancel(order, "999", web))
    assert gitlab.cancelled == [100, 100]


def connected(gitlab: GitLab, **settings: Any) -> Connected:
    return Connected("gl", {"url": gitlab.url, **settings}, "gl-token", ("gl-token",))


def test_a_connection_is_tested(gitlab: GitLab) -> None:
    assert ask(lambda web: ENGINE.check(connected(gitlab), web)) == "GitLab knows us as tanuki."
    with pytest.raises(RunnerError, match="401"):
        ask(lambda web: ENGINE.check(replace(connected(gitlab), secret="wrong"), web))


def test_projects_and_what_they_want_can_be_picked(gitlab: GitLab) -> None:
    found = ask(lambda web: ENGINE.pipelines(connected(gitlab), web, "cart"))
    assert [(one.id, one.name) for one in found] == [("shop/cart", "Shop / Cart")]
    variables = ask(lambda web: ENGINE.parameters(connected(gitlab), web, "shop/cart"))
    assert [(one.name, one.type, one.default, one.options) for one in variables] == [
        ("VERSION", "string", "1.0", ()),
        ("WHERE", "enum", "staging", ("staging", "production")),
    ]
    inputs = ask(lambda web: ENGINE.parameters(connected(gitlab, **INPUTS), web, "shop/cart"))
    assert [(one.name, one.type, one.default, one.is_required) for one in inputs] == [
        ("where", "enum", "staging", False),
        ("dry", "boolean", "false", False),
        ("version", "string", "", True),
    ]


def test_a_call_with_the_token_names_its_pipeline() -> None:
    connection = Connected("gl", {"hook": {"secret": "hook"}})

    def told(body: Any, token: str = "hook") -> list[str]:
        return list(ENGINE.called(Called({"x-gitlab-token": token}, json.dumps(body).encode(), NOW), connection))

    event = {"object_kind": "pipeline", "object_attributes": {"id": 100, "status": "success"}}
    assert told(event) == told(event) == ["100"]
    assert told({"object_kind": "build", "pipeline_id": 7}) == ["7"]
    assert told({"object_kind": "push"}) == told([]) == told({"object_kind": "pipeline"}) == []
    assert list(ENGINE.called(Called({"x-gitlab-token": "hook"}, b"{", NOW), connection)) == []
    for wrong in ("other", "", "hooks", "\u00fc"):
        with pytest.raises(NotPermitted):
            told(event, wrong)
    with pytest.raises(NotPermitted):
        ENGINE.called(Called({}, b"{}", NOW), connection)
    with pytest.raises(NotPermitted):
        ENGINE.called(Called({}, b"{}", NOW), Connected("gl", {}))


def test_a_call_may_be_signed_instead() -> None:
    key = b"k" * 32
    connection = Connected("gl", {"hook": {"secret": "whsec_" + base64.b64encode(key).decode()}})
    body = b'{"object_kind": "pipeline", "object_attributes": {"id": 100}}'

    def call(at: int = int(NOW.timestamp())) -> Called:
        signed = hmac.new(key, f"msg.{at}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "webhook-id": "msg",
            "webhook-timestamp": str(at),
            "webhook-signature": "v1,AAAA v1," + base64.b64encode(signed).decode(),
        }
        return Called(headers, body, NOW)

    assert list(ENGINE.called(call(), connection)) == ["100"]
    late, headers = int(NOW.timestamp()) - 301, call().headers
    for wrong in (
        call(late),
        replace(call(), headers={**headers, "webhook-id": "x"}),
        replace(call(), headers={**headers, "webhook-timestamp": "²"}),
        replace(call(), body=b"{}"),
    ):
        with pytest.raises(NotPermitted):
            ENGINE.called(wrong, connection)


def test_a_variable_has_no_dash() -> None:
    assert [fault.path for fault in ENGINE.faults({"key": "pilot-house"})] == ["settings.key"]
    assert list(ENGINE.faults({"key": "pilot-house", "pass": "inputs"})) == []
