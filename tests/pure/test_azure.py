"""The provider `azure` against a double of Azure DevOps."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Called, Connected
from activities.providers.azure import AzureEngine
from activities.runners import Order, Outcome, runner_for
from config.errors import NotPermitted, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.azure_double import Azure
from tests.engine_double import Reply, double
from tests.github_double import archive

KEY = "7-1-1700000000000000"
ENGINE = AzureEngine()
ASKING = Asking(ENGINE, "the-pat")
ask, start = ASKING.ask, ASKING.start
TASKS = (
    {"type": "Job", "name": "Job", "result": "failed", "log": {"id": 1}},
    {"type": "Task", "name": "Set up", "result": "succeeded", "finishTime": "1", "log": {"id": 2}},
    {
        "type": "Task", "name": "Test", "result": "failed", "finishTime": "2", "log": {"id": 3},
        "issues": [{"type": "warning", "message": "old"}, {"type": "error", "message": "exit code 1"}],
    },
)  # fmt: skip


@pytest.fixture
def azure(settings: Any) -> Iterator[Azure]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    azure = Azure()
    with double(azure) as api:
        azure.url = api.url  # type: ignore[attr-defined]
        yield azure


def settings_for(azure: Any, **rest: Any) -> dict[str, Any]:
    return {"url": azure.url, "organization": "shop", "project": "The cart", "key_parameter": "pilothouse", **rest}


def order_for(azure: Any, **rest: Any) -> Order:
    given = {"spec": {"pipeline": "12"}, "secret": "the-pat", "parameters": {"version": "1"}, **rest}
    return Order(KEY, settings_for(azure), masks=("the-pat",), started_at=datetime.now(UTC), **given)


def look(order: Order, reference: str = "100", offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def test_a_run_takes_template_parameters_variables_and_the_key(azure: Azure) -> None:
    spec = {"pipeline": "Deploy", "ref": "main", "settings": {"variables": ["mode"]}}
    outcome = start(order_for(azure, spec=spec, parameters={"version": "1", "mode": "fast"}))
    assert (outcome.status, outcome.reference) == ("running", "100")
    assert outcome.link == "https://dev.azure.com/shop/x/_build/results?buildId=100"
    assert azure.started == [
        {
            "templateParameters": {"version": "1", "pilothouse": KEY},
            "variables": {"mode": {"value": "fast"}},
            "resources": {"repositories": {"self": {"refName": "refs/heads/main"}}},
        }
    ]
    assert isinstance(runner_for("azure"), AzureEngine)


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"id', promised=50), Reply(body={})])
def test_a_lost_answer_finds_the_run_instead_of_starting_another(azure: Azure, lost: Reply) -> None:
    azure.lost = [lost]
    order = order_for(azure)
    with pytest.raises((RunnerUnavailable, KeyError)):
        start(order)
    assert start(replace(order, again=True)).reference == "100"
    assert len(azure.started) == 1


def test_without_a_key_a_lost_answer_is_left_to_a_person(azure: Azure) -> None:
    order = order_for(azure)
    settings = {name: value for name, value in order.connection.items() if name != "key_parameter"}
    order = replace(order, connection=settings, again=True)
    assert start(order).reference == "100"
    with pytest.raises(RunnerRefused, match="key_parameter"):
        start(order)
    assert len(azure.started) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": {"where": "nowhere"}}, "not a valid value"),
        ({"spec": {"pipeline": "Absent"}}, "no pipeline 'Absent'"),
        ({"spec": {"pipeline": "99"}}, "could not be found"),
        ({"secret": "wrong"}, "does not accept the token"),
    ],
)
def test_a_wrong_order_is_refused(azure: Azure, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words) as caught:
        start(replace(order_for(azure), **change))
    assert "the-pat" not in str(caught.value)
    assert azure.started == []


def test_a_run_that_goes_well_hands_back_its_outputs(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    assert look(order).status == "running"
    azure.finish(100, "succeeded", *TASKS[:2])
    assert look(order).outputs == {"commit": "4f1c2ab"}
    told = json.dumps({"image": "shop:1", "size": 12}).encode()
    for files in ({"pilothouse-outputs/outputs__json": told}, {"outputs__json": told}):
        with double(lambda _, files=files: Reply(body=archive(**files))) as storage:  # type: ignore[misc]
            azure.artifact = {"name": "pilothouse-outputs", "signedContent": {"url": f"{storage.url}/x?sig=1"}}
            outcome = look(order)
            assert "authorization" not in storage.asked[0].headers
        assert (outcome.status, outcome.error) == ("succeeded", "")
        assert outcome.outputs == {"commit": "4f1c2ab", "image": "shop:1", "size": "12"}
    assert outcome.log.startswith("… (the beginning of 'Set up' is left out)\nline ")
    assert outcome.log.endswith("log 2\n")
    azure.artifact = {"name": "pilothouse-outputs"}
    assert "no pipeline artifact" in look(order).error


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("failed", "failed"),
        ("canceled", "cancelled"),
        ("partiallySucceeded", "failed"),
        ("none", "failed"),
        ("strange", "failed"),
    ],
)
def test_each_result_means_something(azure: Azure, result: str, status: str) -> None:
    order = order_for(azure)
    start(order)
    azure.finish(100, result)
    outcome = look(order)
    assert (outcome.status, outcome.error) == (status, f"Azure DevOps says: {result}.")
    tolerant = replace(order, spec={"pipeline": "12", "settings": {"accept_partial": True}})
    assert look(tolerant).status == ("succeeded" if result == "partiallySucceeded" else status)


def test_a_failure_says_where_and_shows_the_log_of_the_step_that_failed(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    azure.finish(100, "failed", *TASKS)
    outcome = look(order)
    assert outcome.error == "'Test': exit code 1"
    assert outcome.log.endswith("log 3\n")


def test_the_log_of_each_step_is_followed_once_its_agent_sends_it(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    azure.builds[100]["status"] = "inProgress"
    build: dict[str, Any] = {
        "type": "Task",
        "name": "Build",
        "state": "inProgress",
        "startTime": "2026-11-27T10:00:01Z",
        "log": None,
    }
    waits = {"type": "Task", "name": "Deploy", "state": "pending", "startTime": None, "log": None}
    azure.records = [waits, build, {"type": "Job", "name": "Job", "startTime": "2026-11-27T10:00:00Z"}]
    assert look(order).log == ""
    azure.logs["5"] = b"compiling\nlink"
    azure.records[1] = build = {**build, "log": {"id": 5}}
    first = look(order)
    assert (first.status, first.log, first.log_offset) == ("running", "── Build ──\ncompiling\n", 10)
    azure.logs["5"] += b"ing\n"
    azure.logs["6"] = b"deployed\n"
    over = {"state": "completed", "result": "succeeded", "finishTime": "2026-11-27T10:01:00Z"}
    deploy = {"type": "Task", "name": "Deploy", "startTime": "2026-11-27T10:02:00Z", "log": {"id": 6}, **over}
    deploy["finishTime"] = "2026-11-27T10:03:00Z"
    azure.finish(100, "succeeded", deploy, {**build, **over})
    last = look(order, offset=first.log_offset)
    assert (last.status, last.log) == ("succeeded", "linking\n── Deploy ──\ndeployed\n")


def test_a_step_of_an_agent_whose_clock_is_behind_is_shown_after_what_was_read(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    azure.builds[100]["status"] = "inProgress"
    azure.logs |= {"5": b"one\n", "6": b"two\n"}
    step: dict[str, Any] = {"type": "Task", "state": "inProgress"}
    build = {**step, "name": "Build", "startTime": "2026-11-27T10:00:10Z", "log": {"id": 5}}
    test = {**step, "name": "Test", "startTime": "2026-11-27T10:00:05Z", "log": {"id": 6}}
    azure.records = [build]
    first = look(order)
    assert first.log == "── Build ──\none\n"
    azure.records = [test, build]
    azure.logs["5"] += b"three\n"
    second = ASKING.look_on(order, "100", first)
    assert second.log == "three\n"
    azure.finish(100, "failed", {**test, "result": "failed"}, {**build, "result": "succeeded"})
    assert ASKING.look_on(order, "100", second).log == "── Test ──\ntwo\n"


def test_what_is_not_an_end_goes_on_and_what_was_deleted_has_failed(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    for state in ("inProgress", "cancelling", "postponed", "something new", None):
        azure.builds[100]["status"] = state
        assert look(order).status == "running"
    assert "deleted" in look(order, "999").error


def test_a_run_is_cancelled_by_its_id_or_its_key(azure: Azure) -> None:
    order = order_for(azure)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "", web))
    ask(lambda web: ENGINE.cancel(order, "100", web))
    azure.finish(100, "succeeded")
    ask(lambda web: ENGINE.cancel(order, "100", web))
    ask(lambda web: ENGINE.cancel(order, "999", web))
    assert azure.cancelled == [100]


def test_trouble_is_told_apart(azure: Azure) -> None:
    order = order_for(azure)
    start(order)
    azure.next = [Reply(429, {"message": "slow down"}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        look(order)
    assert caught.value.retry_after == 17
    for reply in (Reply(503), Reply(body=b'{"status": "comp'), Reply(body=b'{"a": 1}', promised=9), Reply(body=b"[]")):
        azure.next = [reply]
        with pytest.raises(RunnerUnavailable):
            look(order)


def test_a_connection_is_tested(azure: Azure) -> None:
    connection = Connected("az", settings_for(azure), "the-pat", ("the-pat",))
    assert ask(lambda web: ENGINE.check(connection, web)) == (
        "Azure DevOps knows us as Deployer, who can see The cart."
    )
    with_bearer = replace(connection, settings=settings_for(azure, token="bearer"), secret="entra")
    assert "Deployer" in ask(lambda web: ENGINE.check(with_bearer, web))
    with pytest.raises(RunnerRefused, match="sign in"):
        ask(lambda web: ENGINE.check(replace(connection, secret="wrong"), web))
    with pytest.raises(RunnerRefused, match="does not exist"):
        ask(lambda web: ENGINE.check(replace(connection, settings=settings_for(azure, project="x")), web))


def test_pipelines_and_their_parameters_can_be_picked(azure: Azure) -> None:
    connection = Connected("az", settings_for(azure), "the-pat")
    found = ask(lambda web: ENGINE.pipelines(connection, web, "dep"))
    assert [(one.id, one.name, one.description) for one in found] == [("12", "Deploy", "shop")]
    parameters = ask(lambda web: ENGINE.parameters(connection, web, "12"))
    assert [(one.name, one.type, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "", (), True),
        ("dry", "boolean", "false", (), False),
        ("where", "enum", "staging", ("staging", "production"), False),
    ]


def call(body: bytes, given: str = "pilothouse:hook") -> Called:
    header = {"authorization": "Basic " + base64.b64encode(given.encode()).decode()}
    return Called(header, body, datetime.now(UTC))


def test_a_service_hook_names_its_run() -> None:
    connection = Connected("az", {"hook": {"secret": "hook"}})
    done = b'{"eventType": "build.complete", "resource": {"id": 100}}'
    state = b'{"eventType": "ms.vss-pipelines.run-state-changed-event", "resource": {"run": {"id": 7}}}'
    assert list(ENGINE.called(call(done), connection)) == ["100"]
    assert list(ENGINE.called(call(state), connection)) == ["7"]
    for odd in (b"{", b"[]", b"{}", b'{"resource": {"id": [1]}}', b'{"resource": 1}'):
        assert list(ENGINE.called(call(odd), connection)) == []


def test_any_other_call_is_refused() -> None:
    connection = Connected("az", {"hook": {"secret": "hook", "username": "us"}})
    for wrong in (call(b"{}"), call(b"{}", "us:other"), Called({}, b"{}", datetime.now(UTC))):
        with pytest.raises(NotPermitted):
            ENGINE.called(wrong, connection)
    assert list(ENGINE.called(call(b"{}", "us:hook"), connection)) == []
    with pytest.raises(NotPermitted):
        ENGINE.called(Called({"authorization": "Basic ü"}, b"{}", datetime.now(UTC)), connection)
    with pytest.raises(NotPermitted):
        ENGINE.called(call(b"{}"), Connected("az", {}))
