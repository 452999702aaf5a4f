"""The provider `argo` against a double of the server of Argo Workflows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from activities.engines import Calling, Connected
from activities.providers.argo import ArgoEngine
from activities.runners import Order, Outcome, runner_for
from config.errors import RunnerRefused, RunnerUnavailable
from tests.argo_double import Argo
from tests.asking import Asking
from tests.engine_double import Reply, double

KEY = "7-1-1700000000000000"
NAME = f"pilothouse-{KEY}"
ENGINE = ArgoEngine()
ASKING = Asking(ENGINE, "argo-token")
ask, start = ASKING.ask, ASKING.start
NODES: dict[str, dict[str, Any]] = {
    NAME: {"id": NAME, "type": "Steps", "outputs": {"parameters": [{"name": "image", "value": "shop:1"}]}},
    "a": {"id": "wf-11", "type": "Pod", "displayName": "build", "phase": "Succeeded", "finishedAt": "1"},
    "b": {"id": "wf-22", "type": "Pod", "displayName": "test", "phase": "Succeeded", "finishedAt": "2"},
}


@pytest.fixture
def argo(settings: Any) -> Iterator[Argo]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    argo = Argo()
    with double(argo) as api:
        argo.url = api.url  # type: ignore[attr-defined]
        yield argo


def order_for(argo: Any, **rest: Any) -> Order:
    given = {"spec": {"pipeline": "deploy"}, "secret": "argo-token", "parameters": {"version": "1=2"}, **rest}
    return Order(KEY, {"url": argo.url, "namespace": "argo"}, masks=("argo-token",), **given)


def look(order: Order, offset: int = 0) -> Outcome:
    return ASKING.look(order, NAME, offset)


def test_a_workflow_is_named_by_the_key(argo: Argo) -> None:
    outcome = start(order_for(argo, spec={"pipeline": "cluster/deploy"}))
    assert (outcome.status, outcome.reference) == ("running", NAME)
    assert outcome.link.endswith(f"/workflows/argo/{NAME}")
    options = {"name": NAME, "parameters": ["version=1=2"]}
    assert argo.submitted == [
        {"resourceKind": "ClusterWorkflowTemplate", "resourceName": "deploy", "submitOptions": options}
    ]
    assert isinstance(runner_for("argo"), ArgoEngine)
    assert not isinstance(ENGINE, Calling)


@pytest.mark.parametrize("conflict", [409, 500])
@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"meta', promised=50)])
def test_a_lost_answer_finds_the_workflow_instead_of_another(argo: Argo, lost: Reply, conflict: int) -> None:
    argo.lost, argo.conflict = [lost], conflict
    order = order_for(argo)
    with suppress(RunnerUnavailable):
        start(order)
    assert start(order).reference == NAME
    assert start(replace(order, again=True)).reference == NAME
    assert len(argo.submitted) == 1


def test_what_was_never_started_is_started_when_asked_again(argo: Argo) -> None:
    assert start(order_for(argo, again=True)).reference == NAME
    assert len(argo.submitted) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "absent"}}, "not found"),
        ({"spec": {"pipeline": "../x"}}, "cannot be a template"),
        ({"secret": "wrong"}, "token not valid"),
    ],
)
def test_a_wrong_order_is_refused(argo: Argo, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words) as caught:
        start(replace(order_for(argo), **change))
    assert "argo-token" not in str(caught.value)
    assert argo.submitted == []


def test_a_workflow_that_goes_well_hands_back_its_outputs(argo: Argo) -> None:
    order = order_for(argo)
    start(order)
    assert look(order).status == "running"
    given = {"parameters": [{"name": "size", "value": "12"}, {"name": "none"}]}
    argo.workflows[NAME]["status"] = {"phase": "Succeeded", "nodes": NODES, "outputs": given}
    outcome = look(order)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {"image": "shop:1", "size": "12"}
    assert outcome.log == "line 1\nline 2\n"


@pytest.mark.parametrize(
    ("phase", "message", "status"),
    [
        ("Failed", "child failed", "failed"),
        ("Error", "", "failed"),
        ("Failed", "Stopped with strategy 'Stop'", "cancelled"),
        ("Failed", "Step exceeded its deadline", "timed_out"),
        ("Pending", "", "running"),
        ("Running", "", "running"),
        ("", "", "running"),
        ("Strange", "", "running"),
    ],
)
def test_each_phase_means_something(argo: Argo, phase: str, message: str, status: str) -> None:
    order = order_for(argo)
    start(order)
    argo.workflows[NAME]["status"] = {"phase": phase, "message": message}
    assert look(order).status == status


def test_a_failure_names_the_node_and_shows_its_log(argo: Argo) -> None:
    order = order_for(argo)
    start(order)
    nodes = {**NODES, "b": {**NODES["b"], "phase": "Failed", "message": "Error (exit code 1)"}}
    argo.workflows[NAME]["status"] = {"phase": "Failed", "nodes": nodes}
    outcome = look(order)
    assert outcome.error == "'test': Error (exit code 1)"
    assert outcome.log == "line 1\nline 2\n"


def test_the_logs_of_all_pods_are_followed_by_time_while_they_run(argo: Argo) -> None:
    order = order_for(argo)
    start(order)
    assert look(order).log == ""
    argo.workflows[NAME]["status"] = {"phase": "Running"}
    build, test = f"{NAME}-build-11", f"{NAME}-test-22"
    argo.lines = [
        ("2026-11-27T10:00:01.000000001Z", build, "one"),
        ("2026-11-27T10:00:01.000000002Z", build, "two"),
        ("2026-11-27T11:00:02.5+01:00", test, "three"),
        ("2026-11-27T10:00:09.5Z", build, "too young"),
    ]
    first = look(order)
    assert (first.status, first.log) == ("running", "── build-11 ──\none\ntwo\n── test-22 ──\nthree\n")
    assert look(order, first.log_offset).log == ""
    argo.lines.append(("2026-11-27T10:00:09.2Z", test, "later"))
    argo.date = "Fri, 27 Nov 2026 10:00:20 GMT"
    second = look(order, first.log_offset)
    assert second.log == "── test-22 ──\nlater\n── build-11 ──\ntoo young\n"
    argo.lines += [(f"2026-11-27T10:00:19.{number:09}Z", build, f"line {number}") for number in range(1_000)]
    argo.workflows[NAME]["status"] = {"phase": "Failed", "nodes": NODES}
    last = look(order, second.log_offset)
    assert last.status == "failed"
    assert last.log.startswith("… (something is left out)\n── build-11 ──\nline ")
    assert last.log.endswith("line 999\n")
    assert last.log_offset > second.log_offset


def test_a_workflow_that_was_deleted_has_failed(argo: Argo) -> None:
    assert "deleted" in look(order_for(argo)).error


def test_a_workflow_is_stopped_or_terminated_once(argo: Argo) -> None:
    order = order_for(argo)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "", web))
    ask(lambda web: ENGINE.cancel(order, NAME, web))
    assert look(order).status == "cancelled"
    argo.workflows[NAME]["status"] = {}
    hard = replace(order, connection={**order.connection, "cancel": "terminate"})
    ask(lambda web: ENGINE.cancel(hard, NAME, web))
    assert argo.ended == ["stop", "terminate"]


def test_trouble_is_told_apart(argo: Argo) -> None:
    order = order_for(argo)
    start(order)
    argo.next = [Reply(429, {"message": "slow down"}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        look(order)
    assert caught.value.retry_after == 17
    for reply in (Reply(503), Reply(body=b'{"status": {"ph'), Reply(body=b'{"a": 1}', promised=9), Reply(body=b"[]")):
        argo.next = [reply]
        with pytest.raises(RunnerUnavailable):
            look(order)


def test_a_connection_is_tested_and_templates_are_picked(argo: Any) -> None:
    connection = Connected("ar", {"url": argo.url, "namespace": "argo"}, "Bearer argo-token")
    assert ask(lambda web: ENGINE.check(connection, web)) == "Argo knows us as us; templates in the namespace argo: 1."
    found = ask(lambda web: ENGINE.pipelines(connection, web, "DEP"))
    assert [(one.id, one.description) for one in found] == [("deploy", "To the shop")]
    parameters = ask(lambda web: ENGINE.parameters(connection, web, "deploy"))
    assert [(one.name, one.type, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "", (), True),
        ("where", "enum", "staging", ("staging", "production"), False),
    ]
