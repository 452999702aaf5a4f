"""The provider `airflow` against a real Airflow on this machine.

Where Airflow cannot be had, these tests are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import MOST_LOG, Connected
from activities.providers.airflow import AirflowEngine
from activities.providers.airflow_dag import Dag
from activities.runners import Order, Outcome
from activities.web.client import Web
from config.errors import RunnerRefused
from tests import airflow_server
from tests.airflow_server import PASSWORD, READER, USER, VERSION
from tests.asking import Asking
from tests.installed import CannotBeHad

PATIENCE = 120.0
ENGINE = AirflowEngine()
ASKING = Asking(ENGINE, PASSWORD)
ask, start = ASKING.ask, ASKING.start
GIVEN = {"version": "1", "replicas": "3", "dry": "true", "where": "prod"}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Airflow with a few DAGs."""
    try:
        with airflow_server.airflow(tmp_path_factory.mktemp("airflow")) as address:
            yield address
    except CannotBeHad as error:
        pytest.skip(f"Airflow cannot be had: {error}")


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def order_for(address: str, dag: str, number: int, **rest: Any) -> Order:
    settings = {"url": address, "username": USER}
    given = {"secret": PASSWORD, "parameters": {}, "masks": (PASSWORD,), **rest}
    return Order(f"{number}-1-1700000000000000", settings, {"pipeline": dag}, started_at=datetime.now(UTC), **given)


def connected(address: str, secret: str = PASSWORD) -> Connected:
    return Connected("af", {"url": address, "username": USER}, secret, (secret,))


async def runs_of(order: Order, web: Web) -> list[str]:
    dag = await Dag.of(order.connection, order.secret, order.spec["pipeline"], web)
    return [str(one["dag_run_id"]) for one in (await dag.ask("GET", "/dagRuns")).listed("dag_runs")]


def followed(order: Order, reference: str) -> Outcome:
    until = time.monotonic() + PATIENCE
    while not (outcome := ASKING.look(order, reference)).is_over:
        assert time.monotonic() < until, outcome
        time.sleep(0.5)
    return outcome


def test_a_run_takes_typed_values_and_hands_its_outputs_back(airflow: str) -> None:
    order = order_for(airflow, "deploy_shop", 1, parameters=GIVEN)
    started = start(order)
    assert (started.status, started.reference) == ("running", f"pilothouse__{order.key}")
    assert start(order).reference == started.reference
    assert start(replace(order, again=True)).reference == started.reference
    outcome = followed(order, started.reference)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {
        "image": "shop:1",
        "given": '{"version": "1", "replicas": 3, "dry": true, "where": "prod", "note": null}',
    }
    assert "telling the outputs\n" in outcome.log
    assert ask(lambda web: runs_of(order, web)) == [started.reference]


def test_the_log_is_that_of_the_task_that_came_last_and_only_its_end(airflow: str) -> None:
    order = order_for(airflow, "chatty", 2)
    outcome = followed(order, start(order).reference)
    assert outcome.log.startswith("… (the beginning of 'chatter' is left out)\n")
    assert "this is the line number 1999" in outcome.log
    assert len(outcome.log) <= MOST_LOG


def test_a_log_is_shown_before_the_run_is_over(airflow: str) -> None:
    order = order_for(airflow, "slow", 9)
    started, told, offset = start(order), "", 0
    until = time.monotonic() + PATIENCE
    while "waiting\n" not in told:
        outcome = ASKING.look(order, started.reference, offset)
        assert (outcome.status, time.monotonic() < until) == ("running", True), told
        told, offset = told + outcome.log, outcome.log_offset
        time.sleep(0.5)
    assert told.startswith("── wait ──\n")
    assert told.count("waiting\n") == 1
    ask(lambda web: ENGINE.cancel(order, "", web))


def test_a_failing_run_names_its_task_and_shows_its_log(airflow: str) -> None:
    order = order_for(airflow, "broken", 3)
    outcome = followed(order, start(order).reference)
    assert (outcome.status, outcome.error) == ("failed", "Task 'migrate' failed")
    assert "it does not hold\n" in outcome.log
    assert 'shop.py", line ' in outcome.log
    assert ", in migrate\nValueError: the table is locked\n" in outcome.log


def test_of_a_task_in_parts_the_one_that_failed_is_shown(airflow: str) -> None:
    order = order_for(airflow, "broken_in_parts", 4)
    outcome = followed(order, start(order).reference)
    assert (outcome.status, outcome.error) == ("failed", "Task 'part' failed")
    assert "this is part 2\n" in outcome.log


def test_a_run_is_cancelled_whether_it_runs_or_is_over(airflow: str) -> None:
    order = order_for(airflow, "slow", 5)
    ask(lambda web: ENGINE.cancel(order, "", web))
    started = start(order)
    time.sleep(3)
    assert ASKING.look(order, started.reference).status == "running"
    ask(lambda web: ENGINE.cancel(order, "", web))
    outcome = followed(order, started.reference)
    assert (outcome.status, outcome.error) == ("cancelled", "Cancelled by Pilothouse.")
    ask(lambda web: ENGINE.cancel(order, started.reference, web))
    assert ASKING.look(order, started.reference).status == "cancelled"


def test_a_task_that_is_named_for_outputs_must_return_some(airflow: str) -> None:
    order = order_for(airflow, "no_mapping", 6)
    settings = {"outputs": "tell"}
    order = replace(order, spec={**order.spec, "settings": settings})
    outcome = followed(order, start(order).reference)
    assert (outcome.status, outcome.error) == (
        "failed",
        "What the task 'tell' returned is not a mapping of names to values.",
    )
    unnamed = replace(order, spec={**order.spec, "settings": {"outputs": "nobody"}})
    assert ASKING.look(unnamed, f"pilothouse__{order.key}").error == (
        "The task 'nobody' has returned no outputs that we may read."
    )


@pytest.mark.parametrize(
    ("dag", "change", "words"),
    [
        ("deploy_shop", {"secret": "wrong"}, "Invalid credentials"),
        ("deploy_shop", {"parameters": {"replicas": "many"}}, "'replicas' must be: integer"),
        ("deploy_shop", {"parameters": {"replicas": "0"}}, "less than the minimum of 1"),
        ("deploy_shop", {"parameters": {"where": "nowhere"}}, "is not one of"),
        ("absent", {}, "absent"),
        ("asleep", {}, "paused"),
    ],
)
def test_a_wrong_order_is_refused_in_airflows_words(airflow: str, dag: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words) as caught:
        start(replace(order_for(airflow, dag, 7), **change))
    assert PASSWORD not in str(caught.value)


def test_who_may_only_read_is_refused(airflow: str) -> None:
    order = order_for(airflow, "deploy_shop", 8)
    with pytest.raises(RunnerRefused, match="403 Forbidden") as caught:
        start(replace(order, connection={**order.connection, "username": READER}))
    assert caught.value.code == "engine_denied"


def test_a_token_will_do_in_the_place_of_a_password(airflow: str) -> None:
    given = {"username": USER, "password": PASSWORD}
    token = ask(lambda web: web.ask("POST", f"{airflow}/auth/token", json=given)).mapping()["access_token"]
    known = Connected("af", {"url": airflow}, token, (token,))
    assert ask(lambda web: ENGINE.check(known, web)) == f"Airflow {VERSION} accepts the token; DAGs to be seen: 7."
    with pytest.raises(RunnerRefused, match="Invalid JWT token") as caught:
        ask(lambda web: ENGINE.check(replace(known, secret=f"{token[:-9]}abcdefghi"), web))
    assert caught.value.code == "engine_denied"


def test_a_run_that_is_not_there_has_failed(airflow: str) -> None:
    order = order_for(airflow, "deploy_shop", 9)
    assert "deleted in Airflow" in ASKING.look(order, f"pilothouse__{order.key}").error


def test_a_connection_is_tested_and_its_dags_are_picked(airflow: str) -> None:
    known = connected(airflow)
    assert ask(lambda web: ENGINE.check(known, web)) == f"Airflow {VERSION} knows us as {USER}; DAGs to be seen: 7."
    with pytest.raises(RunnerRefused, match="Invalid credentials"):
        ask(lambda web: ENGINE.check(connected(airflow, "wrong"), web))
    found = ask(lambda web: ENGINE.pipelines(known, web, ""))
    assert sorted(one.id for one in found) == [
        "broken", "broken_in_parts", "chatty", "deploy_shop", "no_mapping", "slow",
    ]  # fmt: skip
    (shop,) = ask(lambda web: ENGINE.pipelines(known, web, "Deploy"))
    assert (shop.id, shop.name, shop.description) == ("deploy_shop", "Deploy the shop", "To wherever it goes")
    parameters = ask(lambda web: ENGINE.parameters(known, web, "deploy_shop"))
    assert [(one.name, one.type, one.description, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "What to deploy", "1", (), False),
        ("replicas", "number", "", "2", (), False),
        ("dry", "boolean", "", "false", (), False),
        ("where", "enum", "", "staging", ("staging", "prod"), False),
        ("note", "string", "", "", (), False),
    ]
