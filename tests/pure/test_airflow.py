"""The provider `airflow` against a double of Airflow's API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from activities.engines import Calling, Connected
from activities.providers.airflow import AirflowEngine
from activities.providers.airflow_logs import MOST_TRIED
from activities.runners import Order, Outcome, runner_for
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable
from tests.airflow_double import Airflow
from tests.asking import Asking
from tests.engine_double import Reply, double

KEY = "7-1-1700000000000000"
RUN = f"pilothouse__{KEY}"
ENGINE = AirflowEngine()
ASKING = Asking(ENGINE, "pass-word")
ask, start = ASKING.ask, ASKING.start


@pytest.fixture
def airflow(settings: Any) -> Iterator[Airflow]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    airflow = Airflow()
    with double(airflow) as api:
        airflow.url = api.url  # type: ignore[attr-defined]
        yield airflow


def order_for(airflow: Any, **rest: Any) -> Order:
    settings = {"url": airflow.url, "username": "deployer"}
    given = {"spec": {"pipeline": "deploy_shop"}, "secret": "pass-word", "parameters": {"version": "1.4.0"}, **rest}
    return Order(KEY, settings, masks=("pass-word",), **given)


def look(order: Order, offset: int = 0) -> Outcome:
    return ASKING.look(order, RUN, offset)


def test_a_run_is_named_by_the_key_and_takes_typed_values(airflow: Airflow) -> None:
    order = order_for(airflow, parameters={"version": "1", "replicas": "3", "dry": "true", "other": "1"})
    outcome = start(order)
    assert (outcome.status, outcome.reference) == ("running", RUN)
    assert outcome.link.endswith(f"/dags/deploy_shop/runs/{RUN}")
    assert airflow.runs[RUN]["conf"] == {"version": "1", "replicas": 3, "dry": True, "other": "1"}
    assert isinstance(runner_for("airflow"), AirflowEngine)


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"dag_', promised=50)])
def test_a_lost_answer_finds_the_run_instead_of_starting_another(airflow: Airflow, lost: Reply) -> None:
    order = order_for(airflow)
    airflow.lost = [lost]
    with suppress(RunnerUnavailable):
        start(order)
    assert start(order).reference == RUN
    assert start(replace(order, again=True)).reference == RUN
    assert len(airflow.runs) == 1


def test_what_was_never_started_is_started_when_asked_again(airflow: Airflow) -> None:
    assert start(order_for(airflow, again=True)).reference == RUN
    assert len(airflow.runs) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "absent"}}, "not found"),
        ({"spec": {"pipeline": ".."}}, "cannot be a DAG"),
        ({"spec": {"pipeline": "a/b"}}, "cannot be a DAG"),
        ({"parameters": {"where": "nowhere"}}, "is not one of"),
        ({"parameters": {"replicas": "many"}}, "'replicas' must be: integer"),
        ({"secret": "wrong"}, "Invalid credentials"),
    ],
)
def test_a_wrong_order_is_refused(airflow: Airflow, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words) as caught:
        start(replace(order_for(airflow), **change))
    assert "pass-word" not in str(caught.value)
    assert airflow.runs == {}


def test_a_paused_dag_is_refused_as_its_run_would_never_begin(airflow: Airflow) -> None:
    airflow.paused = True
    with pytest.raises(RunnerRefused, match="unpause"):
        start(order_for(airflow))


@pytest.mark.parametrize("value", [{"image": "shop:1", "size": 12}, '{"image": "shop:1", "size": 12}'])
def test_a_run_that_goes_well_hands_back_its_outputs(airflow: Airflow, value: Any) -> None:
    order = order_for(airflow)
    start(order)
    assert look(order).status == "running"
    airflow.xcom, airflow.xcom_status = value, 200
    airflow.finish("success", ("build", "success"), ("deploy", "success"))
    outcome = look(order)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {"image": "shop:1", "size": "12"}
    assert outcome.log.startswith("… (the beginning of 'deploy' is left out)\nline ")
    assert outcome.log.endswith("end of deploy 2\n")
    assert outcome.log_offset == 1


def test_outputs_that_are_named_must_be_there_and_be_a_mapping(airflow: Airflow) -> None:
    order = order_for(airflow)
    start(order)
    airflow.finish("success")
    assert look(order).status == "succeeded"
    named = replace(order, spec={"pipeline": "deploy_shop", "settings": {"outputs": "tell"}})
    assert "'tell' has returned no outputs" in look(named).error
    airflow.xcom_status = 200
    for airflow.xcom in ([1], "text", None):
        outcome = look(order)
        assert outcome.status == "failed"
        assert "not a mapping" in outcome.error


@pytest.mark.parametrize(
    ("state", "status"), [("queued", "running"), ("running", "running"), ("restarting", "running"), (None, "running")]
)
def test_what_is_not_an_end_goes_on(airflow: Airflow, state: Any, status: str) -> None:
    order = order_for(airflow)
    start(order)
    airflow.finish(state)
    assert look(order).status == status


def test_a_failure_names_the_task_and_shows_its_log(airflow: Airflow) -> None:
    order = order_for(airflow)
    start(order)
    airflow.finish("failed", ("build", "failed"), ("deploy", "upstream_failed"))
    outcome = look(order)
    assert (outcome.status, outcome.error) == ("failed", "Task 'build' failed")
    assert outcome.log.endswith(
        "Task failed with exception\n"
        "OSError: no disk\n"
        '  File "shop.py", line 9, in build\n'
        "RuntimeError: no build\n"
        "end of build 2\n"
    )


def test_tries_that_are_asked_for_no_more_move_no_other_log(airflow: Airflow) -> None:
    order = order_for(airflow)
    start(order)
    airflow.runs[RUN]["state"] = "running"
    names = [f"t{number}" for number in range(MOST_TRIED)]

    def tried(name: str, number: int, state: str, at: str) -> dict[str, Any]:
        return {"task_id": name, "state": state, "try_number": number, "map_index": -1, "start_date": at}

    for second, name in enumerate(["early", *names]):
        airflow.logs[f"{name} 1"] = [{"event": f"{name} failed"}]
        airflow.logs[f"{name} 2"] = [{"event": f"{name} done"}]
        airflow.earlier[name] = [tried(name, 1, "failed", f"2026-11-27T10:00:0{second}")]
    later = [tried(name, 2, "success", f"2026-11-27T10:01:0{second}") for second, name in enumerate(names)]
    airflow.tasks = [*later, tried("early", 1, "running", "2026-11-27T10:00:00")]
    first = look(order)
    assert first.log == "── early ──\nearly failed\n"
    airflow.tasks[-1] = tried("early", 2, "success", "2026-11-27T10:02:00")
    last, told = first, ""
    for _ in range(4):
        last = ASKING.look_on(order, RUN, last)
        told += last.log
    expected = [*(f"{name} failed" for name in names), *(f"{name} done" for name in [*names, "early"])]
    assert [line for line in told.splitlines() if "──" not in line] == expected


def test_the_log_of_each_try_is_followed_from_its_line_while_it_grows(airflow: Airflow) -> None:
    order = order_for(airflow)
    start(order)
    airflow.runs[RUN]["state"] = "running"
    build = {"task_id": "build", "state": "running", "try_number": 1, "map_index": -1, "start_date": "2026-11-27T10:00"}
    airflow.tasks = [build, {"task_id": "deploy", "state": None, "try_number": 0, "map_index": -1, "start_date": None}]
    head: list[dict[str, Any]] = [
        {"event": "::group::Log message source details", "sources": ["a worker"]},
        {"event": "::endgroup::"},
    ]
    airflow.logs["build 1"] = [*head, {"event": "one"}]
    first = look(order)
    assert (first.status, first.log, first.log_offset) == ("running", "── build ──\none\n", 1)
    assert look(order, first.log_offset).log == ""
    airflow.logs["build 1"] = [*head[:1], {"event": "elsewhere"}, *head[1:], {"event": "one"}, {"event": "two"}]
    airflow.logs["build 2"] = [*head, {"event": "again"}]
    airflow.tasks[0] = {**build, "try_number": 2, "start_date": "2026-11-27T10:05"}
    airflow.earlier["build"] = [{**build, "state": "up_for_retry"}, airflow.tasks[0]]
    second = look(order, first.log_offset)
    assert second.log == "two\n── build ──\nagain\n"
    airflow.logs["build 2"].append({"event": "done"})
    airflow.runs[RUN]["state"], airflow.tasks[0]["state"] = "success", "success"
    last = look(order, second.log_offset)
    assert (last.status, last.log) == ("succeeded", "done\n")


def test_a_run_that_was_deleted_has_failed(airflow: Airflow) -> None:
    assert "deleted" in look(order_for(airflow)).error


def test_a_cancelled_run_is_known_by_its_note_and_what_is_over_stays(airflow: Airflow) -> None:
    order = order_for(airflow)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "", web))
    assert look(order).status == "cancelled"
    airflow.runs[RUN] |= {"state": "success", "note": None}
    ask(lambda web: ENGINE.cancel(order, RUN, web))
    assert airflow.runs[RUN]["state"] == "success"


def test_trouble_is_told_apart(airflow: Airflow) -> None:
    order = order_for(airflow)
    start(order)
    airflow.next = [Reply(429, {"detail": "slow down jwt-token"}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        look(order)
    assert caught.value.retry_after == 17
    assert "jwt-token" not in str(caught.value)
    for reply in (Reply(503), Reply(body=b'{"state": "succ'), Reply(body=b'{"a": 1}', promised=9), Reply(body=[])):
        airflow.next = [reply]
        with pytest.raises(RunnerUnavailable):
            look(order)


def test_a_connection_is_tested_with_a_password_or_a_token(airflow: Any) -> None:
    connection = Connected("af", {"url": airflow.url, "username": "deployer"}, "pass-word", ("pass-word",))
    assert ask(lambda web: ENGINE.check(connection, web)) == ("Airflow 3.1.0 knows us as deployer; DAGs to be seen: 2.")
    token = Connected("af", {"url": airflow.url}, "jwt-token")
    assert "accepts the token" in ask(lambda web: ENGINE.check(token, web))
    with pytest.raises(RunnerError, match="Invalid JWT"):
        ask(lambda web: ENGINE.check(replace(token, secret="wrong"), web))
    assert not isinstance(ENGINE, Calling)


def test_dags_and_their_params_can_be_picked(airflow: Any) -> None:
    connection = Connected("af", {"url": airflow.url}, "jwt-token")
    found = ask(lambda web: ENGINE.pipelines(connection, web, "Deploy"))
    assert [(one.id, one.name) for one in found] == [("deploy_shop", "Deploy the shop")]
    parameters = ask(lambda web: ENGINE.parameters(connection, web, "deploy_shop"))
    assert [(one.name, one.type, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "", (), True),
        ("replicas", "number", "2", (), False),
        ("dry", "boolean", "false", (), False),
        ("where", "enum", "staging", ("staging", "prod"), False),
    ]
