"""The provider `metrics`: gates on any monitoring that answers JSON over HTTP, described in the connection's settings.

    request: {path: /api/range, query: {q: "{query}", start: "{from}", end: "{to}", step: "{step}"}}
    series: /data
    name: /label
    points: /samples
    at: /0
    value: /1

A request without `{from}` gets the present value only: what each look sees is handed on to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from activities.engines import Connected, Schema, settings_of
from activities.providers.gate import (
    PAGE,
    Asked,
    GateEngine,
    Samples,
    Span,
    asked_in,
    finite,
    together,
    told_at,
    valued,
    work_for,
)
from activities.providers.gate_verdict import Point
from activities.providers.http import send
from activities.providers.http_settings import POINTER, REQUEST, SIGNING_IN
from activities.providers.http_templates import as_text, look_up, names_in
from activities.runners import Order
from activities.web.addresses import shown
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import Fault, RunnerRefused, RunnerUnavailable

MOST_SERIES = 50
OWN_NAMES = ("from", "to", "step", "query")
_TIMES = ("seconds", "milliseconds", "iso")
_TIME: Schema = {"enum": list(_TIMES)}


class MetricsEngine(GateEngine):
    """See the module."""

    kind = "metrics"
    settings = settings_of(
        {
            **SIGNING_IN,
            "request": REQUEST,
            "time": _TIME,
            "series": POINTER,
            "name": POINTER,
            "points": POINTER,
            "at": POINTER,
            "value": POINTER,
            "page": PAGE,
        },
        required=("url", "request", "value"),
    )
    work = work_for(("condition",))

    def asked(self, order: Order) -> Asked:
        """Returns what the activity asks for; a query only if the request has a place for one."""
        return asked_in(order, needs_query="query" in names_in(order.connection["request"]))

    async def begin(self, order: Order, asked: Asked, web: Web) -> float:
        """Tries the request."""
        now = datetime.now(UTC).timestamp()
        answer = await _ask(order, asked, Span(now - 10 * asked.rule.step, now, asked.rule.step), web)
        list(_read(order.connection, answer))
        return told_at(answer)

    async def samples(self, order: Order, asked: Asked, span: Span, web: Web) -> Samples:
        """Asks for all since the beginning, or for the present value."""
        settings = order.connection
        answer = await _ask(order, asked, span, web)
        now, found = told_at(answer), dict(_read(settings, answer))
        if _is_range(settings):
            points = together({name: [one for one in values if one[0] <= now] for name, values in found.items()})
            return Samples(points, now, span.spread())
        present = {name: values[0] for name, values in found.items() if values}
        moment = min([now, *(at for at, _ in present.values())])
        held = {name: value for name, (_, value) in present.items() if value is not None}
        return Samples([Point(moment, held)], now, is_whole=False)

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks for the address."""
        await send(web, connection.settings, connection.secret, {"path": ""}, {}, accept=(404, 405))
        return f"{shown(connection.settings['url'])} answers."

    def faults(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Yields what the schema cannot say."""
        for name in dict.fromkeys(names_in(settings["request"])):
            if name not in OWN_NAMES:
                cure = f"There are {', '.join(f'{{{one}}}' for one in OWN_NAMES)}."
                yield Fault("settings.request", f"Nothing fills in '{name}'.", cure)
        if _is_range(settings) and not ("points" in settings and "at" in settings):
            cure = "Say under 'points' where a series has them, and under 'at' where a point has its moment."
            yield Fault("settings.points", "Nothing says where the points are.", cure)
        if settings.get("auth") == "basic" and not settings.get("username"):
            yield Fault("settings.username", "'username' is missing.", "Basic sign-in needs it.")
        if settings.get("auth") == "header" and not settings.get("header"):
            yield Fault("settings.header", "'header' is missing.", "Name the header that takes the secret.")


def metrics_engine() -> MetricsEngine:
    """Returns the engine."""
    return MetricsEngine()


def _is_range(settings: Mapping[str, Any]) -> bool:
    return "from" in names_in(settings["request"])


async def _ask(order: Order, asked: Asked, span: Span, web: Web) -> Answer:
    way = order.connection.get("time", "seconds")
    values = {
        "query": asked.query,
        "from": _written(span.since, way),
        "to": _written(span.until, way),
        "step": f"{span.spread():.0f}",
    }
    return await send(web, order.connection, order.secret, order.connection["request"], values)


def _written(at: float, way: str) -> str:
    if way == "iso":
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"{at * 1000:.0f}" if way == "milliseconds" else f"{at:.0f}"


def _read(settings: Mapping[str, Any], answer: Answer) -> Iterator[tuple[str, list[tuple[float, float | None]]]]:
    """Yields each series with its points. Raises RunnerUnavailable when there is nothing where they should be."""
    document = answer.json()
    series = look_up(document, settings["series"]) if "series" in settings else [document]
    if not isinstance(series, list):
        raise RunnerUnavailable(f"{shown(answer.url)} answered without a list of series at {settings['series']}.")
    if len(series) > MOST_SERIES:
        said = f"The answer has {len(series)} series; a gate watches {MOST_SERIES} at most."
        raise RunnerRefused(said, code="parameter_wrong")
    for number, one in enumerate(series):
        name = as_text(look_up(one, settings["name"]))[:200] if "name" in settings else ""
        yield name or (f"series {number + 1}" if len(series) > 1 else ""), _points(settings, one, answer)


def _points(settings: Mapping[str, Any], series: Any, answer: Answer) -> list[tuple[float, float | None]]:
    now = told_at(answer)
    if not _is_range(settings):
        at = _moment(look_up(series, settings["at"]), settings) if "at" in settings else now
        return [(now if at is None else at, valued(look_up(series, settings["value"])))]
    points = look_up(series, settings["points"])
    if not isinstance(points, list):
        raise RunnerUnavailable(f"{shown(answer.url)} answered without a list of points at {settings['points']}.")
    dated = [
        (_moment(look_up(one, settings["at"]), settings), valued(look_up(one, settings["value"]))) for one in points
    ]
    return sorted((at, value) for at, value in dated if at is not None and value is not None)


def _moment(told: Any, settings: Mapping[str, Any]) -> float | None:
    """The seconds since 1970 that a moment stands for, None if it is none."""
    if isinstance(told, str) and settings.get("time") == "iso":
        try:
            moment = datetime.fromisoformat(told)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    value = valued(told)
    if value is None or finite(value) is None:
        return None
    return value / 1000 if settings.get("time") == "milliseconds" else value
