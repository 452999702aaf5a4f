"""The provider `harness` against a double of Harness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Calling, Connected
from activities.providers.harness import HarnessEngine
from activities.runners import Order, Outcome, runner_for
from config.errors import RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.harness_double import Harness

KEY = "7-1-1700000000000000"
ENGINE = HarnessEngine()
ASKING = Asking(ENGINE, "pat.key")
ask, start = ASKING.ask, ASKING.start
NODES: dict[str, dict[str, Any]] = {
    "s": {"identifier": "build", "name": "Stage", "status": "Failed", "stepType": "NG_EXECUTION", "logBaseKey": "x"},
    "a": {"identifier": "build", "name": "Build", "status": "Success", "stepType": "Run", "endTs": 1,
          "logBaseKey": "k1"},
    "b": {
        "identifier": "pilothouse_outputs", "name": "Tell", "status": "Success", "stepType": "ShellScript", "endTs": 2,
        "logBaseKey": "k2", "executableResponses": [{"task": {"logKeys": ["k2-commandUnit:Execute"]}}],
        "outcomes": {"output": {"outputVariables": {"image": "shop:1", "size": 12}}},
    },
}  # fmt: skip


@pytest.fixture
def harness(settings: Any) -> Iterator[Harness]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    harness = Harness()
    with double(harness) as api:
        harness.url = api.url  # type: ignore[attr-defined]
        yield harness


def settings_for(harness: Any) -> dict[str, Any]:
    return {"url": harness.url, "account": "acc", "organization": "default", "project": "shop"}


def order_for(harness: Any, **rest: Any) -> Order:
    given = {"spec": {"pipeline": "deploy"}, "secret": "pat.key", "parameters": {"version": "1"}, **rest}
    return Order(KEY, settings_for(harness), masks=("pat.key",), started_at=datetime.now(UTC), **given)


def look(order: Order, reference: str = "exec0", offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def test_an_execution_takes_variables_inputs_and_input_sets(harness: Harness) -> None:
    outcome = start(order_for(harness))
    assert (outcome.status, outcome.reference) == ("running", "exec0")
    assert outcome.link.endswith(
        "/ng/account/acc/all/orgs/default/projects/shop/pipelines/deploy/deployments/exec0/pipeline"
    )
    version = {"name": "version", "type": "String", "value": "1"}
    inputs = {"variables": [{"name": "version", "value": "0"}, {"name": "x", "value": "y"}], "stages": []}
    start(order_for(harness, spec={"pipeline": "deploy", "settings": {"inputs": inputs, "input_sets": ["prod"]}}))
    start(order_for(harness, parameters={}))
    assert harness.started[0] == ("deploy", {"pipeline": {"identifier": "deploy", "variables": [version]}})
    path, body = harness.started[1]
    assert (path, body["inputSetReferences"]) == ("inputSetList", ["prod"])
    assert '"variables": [{"name": "x", "value": "y"}, {"name": "version"' in body["lastYamlToMerge"]
    assert harness.started[2] == ("deploy", None)
    assert isinstance(runner_for("harness"), HarnessEngine)
    assert not isinstance(ENGINE, Calling)


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"data', promised=50), Reply(body={})])
def test_a_lost_answer_finds_the_execution_instead_of_another(harness: Harness, lost: Reply) -> None:
    other = replace(order_for(harness), key="8-1-1")
    start(other)
    harness.lost = [lost]
    order = order_for(harness)
    with pytest.raises((RunnerUnavailable, KeyError)):
        start(order)
    assert start(replace(order, again=True)).reference == "exec1"
    assert len(harness.started) == 2


def test_what_was_never_started_is_started_unless_that_cannot_be_told(harness: Harness) -> None:
    order = order_for(harness, again=True)
    assert start(order).reference == "exec0"
    harness.executions = {str(n): {**harness.executions["exec0"], "planExecutionId": str(n)} for n in range(60)}
    harness.notes = dict.fromkeys(harness.executions, "x")
    with pytest.raises(RunnerRefused, match="too many"):
        start(order)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "absent"}}, "doesn't exist"),
        ({"spec": {"pipeline": "../x"}}, "cannot be a pipeline"),
        ({"secret": "wrong"}, "Token is not valid"),
    ],
)
def test_a_wrong_order_is_refused(harness: Harness, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words) as caught:
        start(replace(order_for(harness), **change))
    assert "pat.key" not in str(caught.value)
    assert harness.started == []


def test_an_execution_that_goes_well_hands_back_its_outputs(harness: Harness) -> None:
    order = order_for(harness)
    start(order)
    assert look(order).status == "running"
    harness.executions["exec0"]["status"], harness.nodes = "Success", NODES
    outcome = look(order)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {"image": "shop:1", "size": "12"}
    assert outcome.log == "line 0\nline 1\nend of k2-commandUnit:Execute\n"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Failed", "failed"),
        ("Errored", "failed"),
        ("IgnoreFailed", "failed"),
        ("ApprovalRejected", "failed"),
        ("Skipped", "failed"),
        ("Suspended", "failed"),
        ("Expired", "timed_out"),
        ("Aborted", "cancelled"),
        ("AbortedByFreeze", "cancelled"),
        ("ApprovalWaiting", "running"),
        ("InterventionWaiting", "running"),
        ("Queued", "running"),
    ],
)
def test_each_status_means_something(harness: Harness, state: str, status: str) -> None:
    order = order_for(harness)
    start(order)
    harness.executions["exec0"]["status"] = state
    assert look(order).status == status
    tolerant = replace(order, spec={"pipeline": "deploy", "settings": {"accept_ignored": True}})
    assert look(tolerant).status == ("succeeded" if state == "IgnoreFailed" else status)


@pytest.mark.parametrize(
    ("state", "status"), [("ABORTED_BY_FREEZE", "cancelled"), ("Strange", "running"), (None, "running")]
)
def test_a_status_that_harness_does_not_tell_of_does_no_harm(harness: Harness, state: Any, status: str) -> None:
    order = order_for(harness)
    start(order)
    harness.executions["exec0"]["status"] = state
    assert look(order).status == status


def test_the_log_of_each_step_is_shown_as_soon_as_the_step_is_over(harness: Harness) -> None:
    order = order_for(harness)
    start(order)
    going_on = {"name": "Tell", "status": "Running", "stepType": "ShellScript", "logBaseKey": "k2"}
    harness.nodes = {**NODES, "b": going_on}
    first = look(order)
    assert (first.status, first.log) == ("running", "── Build ──\nline 0\nline 1\nend of k1\n")
    assert look(order, offset=first.log_offset).log == ""
    harness.executions["exec0"]["status"], harness.nodes = "Success", NODES
    last = look(order, offset=first.log_offset)
    assert last.log == "── Tell ──\nline 0\nline 1\nend of k2-commandUnit:Execute\n"


def test_a_failure_names_the_step_and_shows_its_log(harness: Harness) -> None:
    order = order_for(harness)
    start(order)
    harness.executions["exec0"] |= {"status": "Failed", "failureInfo": {"message": "it broke"}}
    assert look(order).error == "it broke"
    harness.nodes = {**NODES, "a": {**NODES["a"], "status": "Failed", "failureInfo": {"message": "exit status 1"}}}
    outcome = look(order)
    assert outcome.error == "'Build': exit status 1"
    assert outcome.log.endswith("end of k1\n")


def test_an_execution_that_was_deleted_has_failed(harness: Harness) -> None:
    assert "deleted" in look(order_for(harness), "gone").error


def test_an_execution_is_aborted_by_its_id_or_its_key_once(harness: Harness) -> None:
    order = order_for(harness)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "", web))
    ask(lambda web: ENGINE.cancel(order, "exec0", web))
    ask(lambda web: ENGINE.cancel(order, "gone", web))
    assert harness.aborted == ["exec0"]
    assert look(order).status == "cancelled"


def test_trouble_is_told_apart(harness: Harness) -> None:
    order = order_for(harness)
    start(order)
    harness.next = [Reply(429, {"message": "slow down"}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        look(order)
    assert caught.value.retry_after == 17
    for reply in (Reply(503), Reply(body=b'{"data": {"pip'), Reply(body=b'{"a": 1}', promised=9), Reply(body=b"[]")):
        harness.next = [reply]
        with pytest.raises(RunnerUnavailable):
            look(order)


def test_a_connection_is_tested_and_pipelines_are_picked(harness: Harness) -> None:
    connection = Connected("ha", settings_for(harness), "pat.key")
    assert ask(lambda web: ENGINE.check(connection, web)) == "Harness accepts the key; pipelines to be seen: 1."
    with pytest.raises(RunnerRefused, match="not valid"):
        ask(lambda web: ENGINE.check(replace(connection, secret="wrong"), web))
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(connection, web, "dep"))] == ["deploy"]
    parameters = ask(lambda web: ENGINE.parameters(connection, web, "deploy"))
    assert [(one.name, one.type, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "", (), True),
        ("where", "enum", "staging", ("staging", "production"), False),
    ]
