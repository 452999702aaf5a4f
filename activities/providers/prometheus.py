"""The provider `prometheus`: gates on Prometheus and on whatever speaks its API (Thanos, Mimir, VictoriaMetrics).

Shapes: Prometheus 2.42, HTTP API v1 (`/api/v1/query`, `/api/v1/query_range`). The time is what `time()` says there, so
that nothing is ever asked for that is still to come for the server: it would answer with its last value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from activities.engines import ADDRESS, Connected, settings_of
from activities.providers.gate import PAGE, Asked, GateEngine, Samples, Span, asked_in, together, valued, work_for
from activities.runners import Order
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

MOST_SERIES = 50
LARGEST_ANSWER = 16 * 1024 * 1024
_TEXTS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1_000}, "maxProperties": 20}
_NOT_NOW = HTTPStatus.UNPROCESSABLE_ENTITY
"""The query cannot be carried out on what there is just now: two versions side by side, for instance."""


class PrometheusEngine(GateEngine):
    """See the module."""

    kind = "prometheus"
    settings = settings_of(
        {
            "url": ADDRESS,
            "username": {"type": "string", "minLength": 1, "maxLength": 200},
            "headers": _TEXTS,
            "parameters": _TEXTS,
            "page": PAGE,
        },
        required=("url",),
    )
    work = work_for()

    def asked(self, order: Order) -> Asked:
        """Returns what the activity asks for."""
        return asked_in(order)

    async def begin(self, order: Order, asked: Asked, web: Web) -> float:
        """Tries the query, and asks for the time."""
        place = Place(order.connection, order.secret, web)
        found = await place.ask("query", {"query": asked.query})
        if found.get("resultType") not in ("vector", "scalar"):
            said = f"The query returns a {found.get('resultType')}; a gate takes an instant vector or a scalar."
            raise RunnerRefused(said, code="parameter_wrong")
        _require_few(len(_listed(found)) if found["resultType"] == "vector" else 1)
        return await place.now()

    async def samples(self, order: Order, asked: Asked, span: Span, web: Web) -> Samples:
        """Asks for all since the beginning."""
        place = Place(order.connection, order.secret, web)
        until = await place.now()
        step = span.spread(until)
        given = {"query": asked.query, "start": f"{span.since:.3f}", "end": f"{max(span.since, until):.3f}",
                 "step": f"{step:.3f}"}  # fmt: skip
        listed = _listed(await place.ask("query_range", given, accept=(_NOT_NOW,)))
        _require_few(len(listed))
        return Samples(together({_name(one.get("metric")): _values(one) for one in listed}), until, step)

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks for the time."""
        await Place(connection.settings, connection.secret, web).now()
        return "Prometheus answers."


class Place:
    """One Prometheus."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._web = settings["url"].rstrip("/"), web
        self._headers, self._more = dict(settings.get("headers", {})), dict(settings.get("parameters", {}))
        name = settings.get("username")
        self._account = (str(name), secret) if name and secret is not None else None
        if secret is not None and self._account is None:
            self._headers["authorization"] = f"Bearer {secret}"

    async def ask(self, path: str, given: Mapping[str, str], *, accept: Collection[int] = ()) -> dict[str, Any]:
        """Returns the data of an answer. Raises RunnerUnavailable for a status in `accept`: it may pass."""
        answer = await self._web.ask("POST", f"{self._base}/api/v1/{path}", form={**self._more, **given},
                                     headers=self._headers, auth=self._account, accept=accept,
                                     most=LARGEST_ANSWER)  # fmt: skip
        if answer.status in accept:
            raise RunnerUnavailable(self._web.error("POST", answer).message)
        found = answer.mapping()
        data = found.get("data")
        if found.get("status") != "success" or not isinstance(data, dict):
            raise RunnerUnavailable("Prometheus answered JSON of an unexpected shape.")
        return data

    async def now(self) -> float:
        """Returns what time it is there."""
        found = await self.ask("query", {"query": "time()"})
        value = valued((found.get("result") or [None, None])[1]) if found.get("resultType") == "scalar" else None
        if value is None:
            raise RunnerUnavailable("Prometheus does not say what time it is.")
        return value


def prometheus_engine() -> PrometheusEngine:
    """Returns the engine."""
    return PrometheusEngine()


def _listed(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = data.get("result")
    if not isinstance(found, list):
        raise RunnerUnavailable("Prometheus answered JSON of an unexpected shape.")
    return [one for one in found if isinstance(one, dict)]


def _require_few(count: int) -> None:
    if count > MOST_SERIES:
        said = f"The query returns {count} series; a gate watches {MOST_SERIES} at most. Aggregate them: max by (…)."
        raise RunnerRefused(said, code="parameter_wrong")


def _name(metric: Any) -> str:
    """The name of a series as the query language writes it, cut; empty for one without any label."""
    labels = dict(metric) if isinstance(metric, dict) else {}
    name = str(labels.pop("__name__", ""))
    inside = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return (f"{name}{{{inside}}}" if inside else name)[:200]


def _values(series: Mapping[str, Any]) -> list[tuple[float, float | None]]:
    return [(float(at), valued(value)) for at, value in series.get("values") or ()]
