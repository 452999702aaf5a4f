"""The gates of `prometheus`, `datadog` and `metrics` against doubles; tests/system has a real Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from activities.engines import Connected, Engine
from activities.providers.datadog import DatadogEngine
from activities.providers.metrics import MetricsEngine
from activities.providers.prometheus import PrometheusEngine
from activities.runners import Order, Outcome
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.monitoring_double import NOW, Monitoring

ENGINES: dict[str, Engine] = {"prometheus": PrometheusEngine(), "datadog": DatadogEngine(), "metrics": MetricsEngine()}
ALL = sorted(ENGINES)
RANGE = {"method": "POST", "path": "/range", "body": {"q": "{query}", "range": ["{from}", "{to}"]}}
SETTINGS: dict[str, dict[str, Any]] = {
    "prometheus": {},
    "datadog": {"application_key": "app-secret"},
    "metrics": {"auth": "header", "header": "X-Key", "request": RANGE, "time": "milliseconds", "series": "/data",
                "name": "/label", "points": "/samples", "at": "/t", "value": "/v"},
}  # fmt: skip
PRESENT = {"auth": "header", "header": "X-Key", "request": {"path": "/now"}, "value": "/checks/errors"}


@pytest.fixture
def monitoring(settings: Any) -> Iterator[Monitoring]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    monitoring = Monitoring()
    with double(monitoring) as api:
        monitoring.url, monitoring.asked = api.url, api.asked
        yield monitoring


def order_for(provider: str, monitoring: Monitoring, **parameters: str) -> Order:
    url = monitoring.url + ("/prom" if provider == "prometheus" else "")
    given = {"query": "errors", "condition": "< 5", "hold_for": "3m", "step": "1m", **parameters}
    return Order("7-1-17", {"url": url, **SETTINGS[provider]}, {"pipeline": "gate"}, "mo-secret", given)


def asking(provider: str) -> Asking:
    return Asking(ENGINES[provider], "mo-secret")


def begun(provider: str, monitoring: Monitoring, **parameters: str) -> tuple[Asking, Order, Outcome]:
    ask, order = asking(provider), order_for(provider, monitoring, **parameters)
    return ask, order, ask.start(order)


@pytest.mark.parametrize("provider", ALL)
def test_a_gate_begins_by_the_monitoring_system_s_own_clock(monitoring: Monitoring, provider: str) -> None:
    _, _, outcome = begun(provider, monitoring)
    assert outcome.status == "running"
    assert outcome.reference.startswith(f"{NOW:.3f}")
    assert outcome.log.endswith(" UTC Begins: must be < 5 for 3m.\n")


@pytest.mark.parametrize("provider", ALL)
def test_it_opens_once_the_condition_has_held(monitoring: Monitoring, provider: str) -> None:
    ask, order, started = begun(provider, monitoring)
    monitoring.fill(1, 2, 3)
    outcome = ask.look(order, started.reference, started.log_offset)
    assert outcome.status == "running"
    assert outcome.look_in == 60
    monitoring.fill(4, 4)
    outcome = ask.look(order, started.reference, started.log_offset)
    assert (outcome.status, outcome.error) == ("succeeded", "")
    told = {"verdict": "held", "last": "4", "worst": "4", "held_for": "3m", "broken_at": ""}
    assert outcome.outputs == told
    assert outcome.progress is not None
    assert (outcome.progress["text"], outcome.progress["share"]) == ("It held for 3m.", 1)


@pytest.mark.parametrize("provider", ALL)
def test_it_fails_at_the_first_break_and_names_the_series(monitoring: Monitoring, provider: str) -> None:
    ask, order, started = begun(provider, monitoring, hold_for="1h")
    monitoring.fill(1, 2, 3, 3)
    monitoring.fill(1, 1, 9, 1, name="b")
    monitoring.now += 60
    outcome = ask.look(order, started.reference, started.log_offset)
    assert outcome.status == "failed"
    assert "b" in outcome.error.partition(" = ")[0]
    assert " = 9 at 20" in outcome.error
    assert (outcome.outputs["verdict"], outcome.outputs["worst"]) == ("broken", "9")
    assert outcome.outputs["broken_at"].endswith("+00:00")
    assert [9, "broken"] in [point[1:] for point in (outcome.progress or {})["curve"]["points"]]


@pytest.mark.parametrize("provider", ALL)
def test_looks_that_come_late_or_twice_say_the_same_and_log_each_turn_once(
    monitoring: Monitoring, provider: str
) -> None:
    ask, order, started = begun(provider, monitoring, tolerate="5", hold_for="1h")
    monitoring.fill(1, 9, 9, 1, 1, 1)
    late = ask.look(order, started.reference, started.log_offset)
    assert late.log.count("\n") == 3
    again = ask.look(order, started.reference, late.log_offset)
    assert (again.log, again.progress, again.outputs) == ("", late.progress, late.outputs)


@pytest.mark.parametrize("provider", ALL)
def test_no_data_waits_and_says_so(monitoring: Monitoring, provider: str) -> None:
    ask, order, started = begun(provider, monitoring)
    monitoring.fill(*[None] * 9)
    outcome = ask.look(order, started.reference, started.log_offset)
    assert (outcome.status, outcome.outputs["verdict"]) == ("running", "no data")
    assert (outcome.progress or {})["text"] == "No data."
    order = replace(order, parameters={**order.parameters, "no_data": "fail"})
    assert ask.look(order, started.reference, started.log_offset).status == "failed"


@pytest.mark.parametrize("provider", ALL)
@pytest.mark.parametrize("broken", [Reply(429, b"", {"Retry-After": "30"}), Reply(503, b"<html>"), Reply(200, b'{"da')])
def test_a_bad_moment_changes_nothing(monitoring: Monitoring, provider: str, broken: Reply) -> None:
    ask, order, started = begun(provider, monitoring)
    monitoring.next = [broken]
    with pytest.raises(RunnerUnavailable) as error:
        ask.look(order, started.reference, started.log_offset)
    assert error.value.retry_after == (30 if broken.status == 429 else None)
    monitoring.next = [broken]
    with pytest.raises(RunnerUnavailable):
        ask.start(order)
    assert ask.start(replace(order, again=True)).status == "running"


@pytest.mark.parametrize("provider", ALL)
def test_a_wrong_secret_is_refused_and_told_nowhere(monitoring: Monitoring, provider: str) -> None:
    with pytest.raises(RunnerError) as error:
        asking(provider).start(replace(order_for(provider, monitoring), secret="wrong"))
    assert "mo-secret" not in error.value.message
    assert "app-secret" not in error.value.message


@pytest.mark.parametrize("provider", ALL)
def test_everything_that_is_wrong_is_told_at_once(monitoring: Monitoring, provider: str) -> None:
    wrong = {"condition": "5", "hold_for": "soon", "step": "2h", "no_data": "maybe", "colour": "red", "tolerate": "x"}
    with pytest.raises(RunnerRefused) as error:
        asking(provider).start(order_for(provider, monitoring, **wrong))
    for words in ("'colour' is no parameter", "'condition': '5'", "between 1 and 3", "'hold_for'", "'step' is from",
                  "'no_data' is", "'tolerate'"):  # fmt: skip
        assert words in error.value.message
    with pytest.raises(RunnerRefused, match="timeout is shorter"):
        asking(provider).start(replace(order_for(provider, monitoring), timeout=60))
    assert monitoring.asked == []


@pytest.mark.parametrize("provider", ALL)
def test_a_connection_is_tested_and_its_gate_is_picked(monitoring: Monitoring, provider: str) -> None:
    ask, order = asking(provider), order_for(provider, monitoring)
    known = Connected("watch", order.connection, "mo-secret")
    assert ask.ask(lambda web: ask.engine.check(known, web))
    found = ask.ask(lambda web: ask.engine.pipelines(known, web, "gat"))
    assert [one.id for one in found] == ["gate"]
    parameters = ask.ask(lambda web: ask.engine.parameters(known, web, "gate"))
    assert [one.name for one in parameters if one.is_required] == ["query", "condition"]
    ask.ask(lambda web: ask.engine.cancel(order, "", web))


def test_a_query_that_prometheus_does_not_take_is_refused_at_the_start(monitoring: Monitoring) -> None:
    with pytest.raises(RunnerRefused, match="parse error"):
        begun("prometheus", monitoring, query="up{")
    ask, order, started = begun("prometheus", monitoring)
    monitoring.error = "found duplicate series for the match group"
    with pytest.raises(RunnerUnavailable, match="duplicate series"):
        ask.look(order, started.reference)


def test_a_query_that_datadog_does_not_take_is_refused(monitoring: Monitoring) -> None:
    monitoring.error = "Error parsing query"
    with pytest.raises(RunnerRefused, match="Error parsing query"):
        begun("datadog", monitoring)


def test_too_many_series_are_refused_with_a_cure(monitoring: Monitoring) -> None:
    for number in range(51):
        monitoring.fill(1, name=f"s{number}")
    with pytest.raises(RunnerRefused, match="Aggregate"):
        begun("prometheus", monitoring)


def test_an_interval_of_datadog_that_is_not_over_is_not_judged(monitoring: Monitoring) -> None:
    ask, order, started = begun("datadog", monitoring)
    monitoring.fill(1, 1, 9)
    assert ask.look(order, started.reference).status == "running"
    monitoring.now += 60
    assert ask.look(order, started.reference).status == "failed"


def test_a_coarse_interval_of_datadog_is_no_gap(monitoring: Monitoring) -> None:
    monitoring.every = 300
    ask, order, started = begun("datadog", monitoring, hold_for="5m", step="30s")
    monitoring.fill(1, 1, 1)
    assert ask.look(order, started.reference).status == "succeeded"


def present(monitoring: Monitoring, **parameters: str) -> tuple[Asking, Order, Outcome]:
    order = replace(order_for("metrics", monitoring, **parameters), connection={"url": monitoring.url, **PRESENT})
    return asking("metrics"), order, asking("metrics").start(order)


def handed_on(order: Order, outcome: Outcome) -> Order:
    return replace(order, progress=json.loads(json.dumps(outcome.progress)))


def test_of_a_present_value_each_look_hands_on_what_it_saw(monitoring: Monitoring) -> None:
    ask, order, started = present(monitoring)
    outcome = started
    for value in (1, 2, 3, 4):
        monitoring.fill(value)
        outcome = ask.look(order, started.reference, outcome.log_offset)
        order = handed_on(order, outcome)
    assert outcome.status == "succeeded"
    assert [value for _, value in (outcome.progress or {})["curve"]["points"]] == [1, 2, 3, 4]


def test_a_look_at_a_present_value_that_comes_twice_counts_once(monitoring: Monitoring) -> None:
    ask, order, started = present(monitoring)
    monitoring.fill(1, 1)
    first = ask.look(order, started.reference, started.log_offset)
    twice = ask.look(handed_on(order, first), started.reference, first.log_offset)
    assert (twice.progress, twice.log) == (first.progress, "")


def test_time_in_which_nobody_looked_at_a_present_value_is_no_soak(monitoring: Monitoring) -> None:
    ask, order, started = present(monitoring)
    monitoring.fill(1)
    order = handed_on(order, ask.look(order, started.reference))
    monitoring.fill(*[1] * 30)
    outcome = ask.look(order, started.reference)
    assert (outcome.status, outcome.outputs["held_for"]) == ("running", "0s")


def test_settings_that_do_not_fit_together_are_told() -> None:
    engine = MetricsEngine()
    wrong = {"url": "https://m.example.com", "auth": "basic", "value": "/v",
             "request": {"path": "/{from}/{colour}"}}  # fmt: skip
    assert [fault.path for fault in engine.faults(wrong)] == [
        "settings.request",
        "settings.points",
        "settings.username",
    ]
    assert list(engine.faults({"url": "https://m.example.com", **SETTINGS["metrics"]})) == []
