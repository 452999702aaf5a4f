"""The provider `prometheus` against a real Prometheus on this machine, asked by the real follower in a release too.

Where it cannot be had, these tests are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Connected
from activities.providers.prometheus import PrometheusEngine
from activities.runners import Order, Outcome
from config.errors import RunnerRefused
from tests import prometheus_server
from tests.asking import Asking
from tests.installed import CannotBeHad, free_port, read
from tests.prometheus_server import Service, serving

pytestmark = [pytest.mark.system, pytest.mark.real]

ASKING = Asking(PrometheusEngine(), "pr-secret")
PATIENCE = 60.0


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture(scope="module")
def prometheus(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes the service."""
    try:
        prometheus_server.program()
    except CannotBeHad as error:
        pytest.skip(f"Prometheus cannot be had: {error}")
    with prometheus_server.running(tmp_path_factory.mktemp("prometheus"), free_port(), service.port) as address:
        yield address


@pytest.fixture(autouse=True)
def _allowed(settings: Any, service: Service) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    service.gauges = {"shop_errors": 0.0}


def order_for(address: str, **parameters: str) -> Order:
    given = {"query": "shop_errors", "condition": "< 5", "hold_for": "4s", "step": "1s", **parameters}
    return Order("1-1-17", {"url": address}, {"pipeline": "gate"}, None, given, started_at=datetime.now(UTC))


def followed(order: Order, outcome: Outcome) -> Outcome:
    until, offset = time.monotonic() + PATIENCE, outcome.log_offset
    while True:
        found = ASKING.look(order, outcome.reference, offset)
        offset = found.log_offset
        if found.is_over:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.5)


def seen(address: str, query: str) -> None:
    """Wait until Prometheus has scraped what a query finds."""
    until = time.monotonic() + PATIENCE
    while b'"value":' not in read(f"{address}/api/v1/query?query={query}"):
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_condition_that_holds_opens_the_gate(prometheus: str, service: Service) -> None:
    service.gauges["shop_errors"] = 2.0
    seen(prometheus, "shop_errors==2")
    order = order_for(prometheus)
    outcome = followed(order, ASKING.start(order))
    assert (outcome.status, outcome.outputs["verdict"], outcome.outputs["worst"]) == ("succeeded", "held", "2")
    assert outcome.outputs["held_for"] == "4s"
    assert outcome.progress is not None
    assert (outcome.progress["text"], outcome.progress["share"]) == ("It held for 4s.", 1.0)
    assert len(outcome.progress["curve"]["points"]) == 5


def test_one_series_that_breaks_fails_it_early_and_is_named(prometheus: str, service: Service) -> None:
    service.gauges = {'shop_errors{shard="a"}': 1.0, 'shop_errors{shard="b"}': 2.0}
    seen(prometheus, "sum(shop_errors)==3")
    order = order_for(prometheus, hold_for="5m")
    started = ASKING.start(order)
    time.sleep(1.5)
    assert ASKING.look(order, started.reference, started.log_offset).status == "running"
    service.gauges['shop_errors{shard="b"}'] = 9.0
    outcome = followed(order, started)
    assert outcome.status == "failed"
    assert 'shard="b"' in outcome.error
    assert " = 9 at " in outcome.error
    assert outcome.outputs["verdict"] == "broken"
    assert outcome.outputs["broken_at"]
    assert "Broken: shop_errors{" in outcome.log


def test_a_series_that_does_not_exist_is_no_data_and_waits(prometheus: str) -> None:
    order = order_for(prometheus, query="shop_absent")
    started = ASKING.start(order)
    time.sleep(4)
    outcome = ASKING.look(order, started.reference, started.log_offset)
    assert (outcome.status, outcome.progress and outcome.progress["text"]) == ("running", "No data.")
    failing = replace(order, parameters={**order.parameters, "no_data": "fail"})
    assert ASKING.look(failing, started.reference, started.log_offset).status == "failed"
    passing = replace(order, parameters={**order.parameters, "no_data": "pass", "hold_for": "2s"})
    assert ASKING.look(passing, started.reference, started.log_offset).status == "succeeded"


@pytest.mark.parametrize(
    ("query", "words"),
    [("shop_errors{", "parse error"), ("shop_errors[5m]", "returns a matrix"), ('"text"', "returns a string")],
)
def test_what_is_no_query_for_a_gate_is_refused_at_the_start(prometheus: str, query: str, words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        ASKING.start(order_for(prometheus, query=query))


def test_a_scalar_holds_too_and_what_is_no_number_is_no_data(prometheus: str) -> None:
    order = order_for(prometheus, query="scalar(shop_errors)", hold_for="1s")
    assert followed(order, ASKING.start(order)).status == "succeeded"
    order = order_for(prometheus, query="shop_errors / shop_errors")
    started = ASKING.start(order)
    time.sleep(3.5)
    looked = ASKING.look(order, started.reference, started.log_offset)
    assert looked.progress is not None
    assert looked.progress["text"] == "No data."


def test_a_connection_is_tested(prometheus: str) -> None:
    known = Connected("prometheus", {"url": prometheus})
    assert ASKING.ask(lambda web: ASKING.engine.check(known, web)) == "Prometheus answers."
