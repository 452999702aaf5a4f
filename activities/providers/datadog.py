"""The provider `datadog`: gates on Datadog's metrics.

Shapes: Datadog API v1, `GET /api/v1/query` and `/api/v1/validate`. An interval is in seconds in every answer that
was recorded, though Datadog's description says milliseconds; points are in milliseconds. A point stands at the
beginning of its interval; one whose interval is not over yet is left out, since it still grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.engines import ADDRESS, SECRET, Connected, settings_of
from activities.providers.gate import (
    PAGE,
    Asked,
    GateEngine,
    Samples,
    Span,
    asked_in,
    together,
    told_at,
    valued,
    work_for,
)
from activities.runners import Order
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

MOST_SERIES = 50
BEFORE = 600
"""Seconds of the past that the query is tried with."""
SITES = (
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
)


class DatadogEngine(GateEngine):
    """See the module."""

    kind = "datadog"
    settings = settings_of(
        {"site": {"enum": list(SITES)}, "url": ADDRESS, "application_key": SECRET, "page": PAGE},
        required=("application_key",),
    )
    work = work_for()

    def asked(self, order: Order) -> Asked:
        """Returns what the activity asks for."""
        return asked_in(order)

    async def begin(self, order: Order, asked: Asked, web: Web) -> float:
        """Asks for the time, and tries the query."""
        answer = await _ask(order.connection, order.secret, web, "validate")
        _require_valid(answer)
        now = told_at(answer)
        await _series(order, asked, web, now - BEFORE, now)
        return now

    async def samples(self, order: Order, asked: Asked, span: Span, web: Web) -> Samples:
        """Asks for all since the beginning."""
        series, now = await _series(order, asked, web, span.since, span.until)
        step = max((_interval(one) for one in series), default=0.0)
        return Samples(together({_name(one): _values(one, now) for one in series}), now, step)

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks whether the keys are good."""
        _require_valid(await _ask(connection.settings, connection.secret, web, "validate"))
        await _ask(
            connection.settings, connection.secret, web, "query", {"from": 0, "to": 1, "query": "avg:system.load.1{*}"}
        )
        return "Datadog takes both keys."


def datadog_engine() -> DatadogEngine:
    """Returns the engine."""
    return DatadogEngine()


async def _ask(
    settings: Mapping[str, Any], secret: str | None, web: Web, path: str, given: Mapping[str, str | int] | None = None
) -> Answer:
    base = settings.get("url") or f"https://api.{settings.get('site', SITES[0])}"
    headers = {"dd-api-key": secret or "", "dd-application-key": str(settings["application_key"])}
    return await web.ask("GET", f"{base.rstrip('/')}/api/v1/{path}", params=given, headers=headers)


def _require_valid(answer: Answer) -> None:
    if answer.mapping().get("valid") is not True:
        raise RunnerRefused("Datadog does not take the API key.", code="engine_denied")


async def _series(
    order: Order, asked: Asked, web: Web, since: float, until: float
) -> tuple[list[dict[str, Any]], float]:
    given: dict[str, str | int] = {"from": int(since), "to": int(until) + 1, "query": asked.query}
    answer = await _ask(order.connection, order.secret, web, "query", given)
    found = answer.mapping()
    if found.get("status") != "ok":
        said = str(found.get("error") or found.get("message") or "no reason given")[:300]
        raise RunnerRefused(f"Datadog does not take the query: {said}", code="parameter_wrong")
    series = found.get("series")
    if not isinstance(series, list):
        raise RunnerUnavailable("Datadog answered JSON of an unexpected shape.")
    if len(series) > MOST_SERIES:
        said = f"The query returns {len(series)} series; a gate watches {MOST_SERIES} at most."
        raise RunnerRefused(said, code="parameter_wrong")
    return [one for one in series if isinstance(one, dict)], told_at(answer)


def _name(series: Mapping[str, Any]) -> str:
    name, scope = str(series.get("display_name") or series.get("metric") or ""), str(series.get("scope") or "")
    return (f"{name}{{{scope}}}" if scope and scope != "*" else name)[:200]


def _interval(series: Mapping[str, Any]) -> float:
    return float(series.get("interval") or 0)


def _values(series: Mapping[str, Any], now: float) -> list[tuple[float, float | None]]:
    interval = _interval(series)
    points = [(float(at) / 1000, valued(value)) for at, value in series.get("pointlist") or ()]
    return [(at, value) for at, value in points if at + interval <= now]
