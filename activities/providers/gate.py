"""What every monitoring gate shares: what an activity asks for, and what a look at the samples comes to.

A gate starts nothing: its reference is when it began by the monitoring system's clock, and by how much that differs
from ours. Everything else is asked anew with each look, or handed back with it (`progress`) where only the present
value can be had.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote

from activities.engines import SKEW, Connected, Parameter, Pipeline, Schema, work_of
from activities.providers.gate_curve import Dot, curve_of, dots_of
from activities.providers.gate_verdict import (
    CURE,
    Change,
    NoData,
    Point,
    Rule,
    Standing,
    condition_in,
    judge,
    number,
)
from activities.runners import Order, Outcome
from activities.web.answers import Answer
from activities.web.client import Web
from config import durations
from config.errors import Fault, InvalidInput, RunnerRefused

PIPELINE = "gate"
MOST_SAMPLES = 10_000
"""Moments that one look asks for; of a longer time, every second or third ... one."""
LONGEST_SOAK = 5_000
"""Steps that a soak may have."""
MOST_TURNS = 20
"""Turns that one look writes into the log."""
PAGE: Schema = {"type": "string", "format": "outbound-address", "maxLength": 2_000}
"""The schema of the setting that says where a person sees a query: an address with `{query}` in it."""
LARGEST = sys.float_info.max

_TEXT: Schema = {"type": ["string", "number"], "maxLength": 200}
_PARAMETERS: Mapping[str, Any] = {
    "query": {"type": "string", "minLength": 1, "maxLength": 4_000},
    "condition": {"type": "string", "maxLength": 200},
    "hold_for": _TEXT,
    "tolerate": _TEXT,
    "grace": _TEXT,
    "no_data": {"enum": ["wait", "fail", "pass"]},
    "step": _TEXT,
}
_DESCRIBED = {
    "query": Parameter("query", "text", "What is asked, in the language of the monitoring system", is_required=True),
    "condition": Parameter("condition", "string", "< 0.01, <= 5, == 0, between 1 and 3", is_required=True),
    "hold_for": Parameter("hold_for", "duration", "For how long it must hold without a break"),
    "tolerate": Parameter("tolerate", "string", "For how long (2m) or how many samples (3) it may be broken in a row"),
    "grace": Parameter("grace", "duration", "How much of the beginning is not judged"),
    "no_data": Parameter("no_data", "enum", "What no data is", "wait", ("wait", "fail", "pass")),
    "step": Parameter("step", "duration", "The distance of two samples, 1s to 1h"),
}


def work_for(required: Sequence[str] = ("query", "condition")) -> Schema:
    """Returns the schema of a gate's automated block."""
    parameters = {"type": "object", "properties": _PARAMETERS, "required": list(required)}
    wanted = {"pipeline": {"enum": [PIPELINE]}, "parameters": {**parameters, "additionalProperties": False}}
    return work_of(wanted, required=("pipeline", *(["parameters"] if required else [])))


@dataclass(frozen=True, slots=True)
class Asked:
    """What an activity asks of a gate."""

    query: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Samples:
    """What a monitoring system has answered, up to `until` by its own clock.

    `step` is the distance of its samples where that is not what was asked for. `is_whole` says that it is everything
    since the gate's beginning; otherwise it is the present value only.
    """

    points: Sequence[Point]
    until: float
    step: float = 0.0
    is_whole: bool = True


class Source(Protocol):
    """A monitoring system, as far as a gate asks it."""

    def asked(self, order: Order) -> Asked:
        """Returns what the activity asks for. Raises RunnerRefused with everything that is wrong with it."""

    async def begin(self, order: Order, asked: Asked, web: Web) -> float:
        """Returns the monitoring system's present moment. Raises RunnerRefused when it does not take the query."""

    async def samples(self, order: Order, asked: Asked, span: Span, web: Web) -> Samples:
        """Returns the samples of a span."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when samples are asked for, by the monitoring system's clock; the end rather too late."""

    since: float
    until: float
    step: float

    def spread(self, until: float | None = None) -> float:
        """Returns the distance of samples: the step, or a multiple of it where there would be too many."""
        most = ((self.until if until is None else until) - self.since) / self.step
        return self.step * max(1, math.ceil(most / MOST_SAMPLES))


class GateEngine:
    """The verbs of an engine whose only pipeline is a gate; a monitoring system adds those of a Source."""

    async def start(self: Source, order: Order, web: Web) -> Outcome:
        """Asks whether the query is taken, and what time it is there."""
        asked = self.asked(order)
        began = await self.begin(order, asked, web)
        log = f"{_clock(began)} Begins: must be {asked.rule.condition.text}{_soak(asked.rule)}.\n"
        return Outcome("running", f"{began:.3f}{began - time.time():+.3f}", _page(order, asked), log=log,
                       log_offset=int(began * 1000) - 1, look_in=min(asked.rule.step, 2.0))  # fmt: skip

    async def look(self: Source, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Asks for the samples and judges them."""
        asked = self.asked(order)
        began, ahead = _clocks(reference)
        span = Span(began, time.time() + ahead + SKEW.total_seconds(), asked.rule.step)
        samples = await self.samples(order, asked, span, web)
        until, known = max(began, samples.until), order.progress or {}
        before = None if samples.is_whole else _standing(known)
        rule = replace(asked.rule, step=max(asked.rule.step, samples.step))
        standing, turns = judge(rule, began, until, samples.points, before)
        dots = list(_dots(rule, samples, known))
        curve = curve_of(asked.query, asked.rule, began, until, standing, dots)
        text = _text(asked.rule, standing)
        progress = {"text": text, "share": _share(asked.rule, standing), "curve": curve}
        if not samples.is_whole:
            progress["standing"] = standing.as_document()
        new = [turn for turn in turns if turn.at * 1000 > log_offset][:MOST_TURNS]
        log = "".join(f"{_clock(turn.at)} {_turned(turn)}\n" for turn in new)
        if standing.status != "running":
            log += f"{_clock(standing.at or until)} {text}\n"
        offset = max([log_offset, *(int(turn.at * 1000) for turn in new)]) + (standing.status != "running")
        return Outcome(
            standing.status,
            reference,
            outputs=_outputs(standing),
            error=_error(asked.rule, standing) if standing.status == "failed" else "",
            log=log,
            log_offset=offset,
            look_in=None if standing.status != "running" else max(2.0, asked.rule.step),
            progress=progress,
        )

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Does nothing: nothing was started."""

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002
        """Returns the gate."""
        found = Pipeline(PIPELINE, "Monitoring gate", "Holds a condition for a soak time, fails early")
        return [found] if search.lower() in f"{found.id} {found.name}".lower() else []

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002
        """Returns what a gate takes."""
        if pipeline != PIPELINE:
            raise RunnerRefused(f"There is no pipeline '{pipeline}'; the one there is, is '{PIPELINE}'.")
        return list(_DESCRIBED.values())


def asked_in(order: Order, *, needs_query: bool = True) -> Asked:
    """Returns what an activity asks for. Raises RunnerRefused with everything that is wrong with it."""
    given = {name: text.strip() for name, text in order.parameters.items() if text.strip()}
    faults = [f"'{name}' is no parameter of a gate" for name in sorted(given.keys() - _PARAMETERS.keys())]
    if order.spec.get("pipeline", PIPELINE) != PIPELINE:
        faults.append(f"there is no pipeline '{order.spec['pipeline']}', only '{PIPELINE}'")
    if needs_query and "query" not in given:
        faults.append("'query' is missing")
    faults += [] if given.get("no_data", "wait") in ("wait", "fail", "pass") else ["'no_data' is wait, fail or pass"]
    rule = _rule(given, order.timeout, faults)
    if faults or rule is None:
        raise RunnerRefused(f"The gate cannot be asked for: {'; '.join(faults)}.", code="parameter_wrong")
    return Asked(given.get("query", ""), rule)


def _rule(given: Mapping[str, str], timeout: float | None, faults: list[str]) -> Rule | None:
    hold_for, grace = _seconds(given, "hold_for", faults), _seconds(given, "grace", faults)
    step = _seconds(given, "step", faults) if "step" in given else _step(hold_for)
    tolerate = given.get("tolerate", "0")
    patience = int(tolerate) * step if re.fullmatch(r"\d{1,6}", tolerate) else _seconds(given, "tolerate", faults)
    if not 1 <= step <= 3_600:
        faults.append("'step' is from 1s to 1h")
    elif hold_for / step > LONGEST_SOAK:
        faults.append(f"'step' is too short for this 'hold_for': at most {LONGEST_SOAK} steps; leave it out")
    if timeout is not None and hold_for + grace > timeout:
        faults.append("the activity's timeout is shorter than 'grace' and 'hold_for' together")
    try:
        condition = condition_in(given.get("condition", ""))
    except InvalidInput as error:
        faults.append(
            f"'condition': {_said(error.faults[0])}" if "condition" in given else f"'condition' is missing. {CURE}"
        )
        return None
    no_data: NoData = given.get("no_data", "wait")  # type: ignore[assignment]
    return Rule(condition, hold_for, patience, grace, no_data, step)


def _seconds(given: Mapping[str, str], name: str, faults: list[str]) -> float:
    text = given.get(name, "0s")
    try:
        return durations.seconds(float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text) else text)
    except InvalidInput as error:
        faults.append(f"'{name}': {_said(error.faults[0])}")
        return 0.0 if name != "step" else 15.0


def _said(fault: Fault) -> str:
    return f"{fault.message} {fault.cure}".rstrip(". ")


def _step(hold_for: float) -> float:
    return max(5.0, min(60.0, hold_for / 120) if hold_for else 15.0, math.ceil(hold_for / LONGEST_SOAK))


def finite(value: float) -> float | None:
    """Returns a value as it is judged and kept: what is no number is none, what is infinite is very large."""
    return None if math.isnan(value) else max(-LARGEST, min(LARGEST, value))


def valued(value: Any) -> float | None:
    """Returns the number that a value in JSON stands for, None if it stands for none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return finite(float(value))
    except (ValueError, OverflowError):
        return None


def together(series: Mapping[str, Sequence[tuple[float, float | None]]]) -> list[Point]:
    """Returns the points of several series, in the order of time."""
    moments: dict[float, dict[str, float]] = {}
    for name, values in series.items():
        for at, value in values:
            held = moments.setdefault(at, {})
            if value is not None:
                held[name] = value
    return [Point(at, moments[at]) for at in sorted(moments)]


def told_at(answer: Answer) -> float:
    """Returns when an answer was given, by the clock of who gave it; by ours if it does not say."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return time.time()


def _page(order: Order, asked: Asked) -> str:
    return str(order.connection.get("page", "")).replace("{query}", quote(asked.query, safe=""))


def _clocks(reference: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+\.\d+)([+-]\d+\.\d+)", reference)
    if found is None:
        raise RunnerRefused("The reference is none of a gate.")
    return float(found[1]), float(found[2])


def _standing(known: Mapping[str, Any]) -> Standing:
    names = {one.name for one in fields(Standing)}
    return Standing(**{name: value for name, value in known.get("standing", {}).items() if name in names})


def _dots(rule: Rule, samples: Samples, known: Mapping[str, Any]) -> Sequence[Dot]:
    if samples.is_whole:
        return list(dots_of(rule, samples.points))
    old: list[Dot] = [(at, value) for at, value, *_ in known.get("curve", {}).get("points", ())]
    last = old[-1][0] if old else None
    return [*old, *dots_of(rule, [one for one in samples.points if last is None or one.at > last], last)]


def _share(rule: Rule, standing: Standing) -> float:
    if standing.status == "succeeded":
        return 1.0
    return round(min(1.0, standing.held / rule.hold_for), 4) if rule.hold_for else 0.0


def _text(rule: Rule, standing: Standing) -> str:
    held = (
        f"held {_length(min(standing.held, rule.hold_for))} of {_length(rule.hold_for)}" if rule.hold_for else "holds"
    )
    if standing.status == "succeeded":
        return f"It held for {_length(rule.hold_for)}." if rule.hold_for else "It holds."
    if standing.status == "failed":
        return f"Broken: {standing.broken_by}, must be {rule.condition.text}."
    if standing.kind == "broken":
        return f"Broken, and tolerated so far: {standing.broken_by}."
    if standing.kind == "nothing":
        return f"No data{f'; {held}' if standing.held else ''}."
    return f"{held[0].upper()}{held[1:]}." if standing.kind == "held" else "Not judged yet."


def _error(rule: Rule, standing: Standing) -> str:
    at = _clock(standing.broken_at or 0.0, with_day=True)
    return f"{standing.broken_by} at {at}; must be {rule.condition.text}{_soak(rule)}."


def _turned(turn: Change) -> str:
    return {"held": "Holds.", "broken": f"Broken: {turn.by}.", "nothing": "No data."}[turn.kind]


def _outputs(standing: Standing) -> dict[str, str]:
    verdict = "broken" if standing.status == "failed" else "held" if standing.status == "succeeded" else standing.kind
    broken_at = standing.broken_at
    return {
        "verdict": {"nothing": "no data", "": "no data"}.get(verdict, verdict),
        "last": "" if standing.last is None else number(standing.last),
        "worst": "" if standing.worst is None else number(standing.worst),
        "held_for": _length(standing.held),
        "broken_at": "" if broken_at is None else datetime.fromtimestamp(broken_at, UTC).isoformat(timespec="seconds"),
    }


def _soak(rule: Rule) -> str:
    return f" for {_length(rule.hold_for)}" if rule.hold_for else ""


def _length(seconds: float) -> str:
    return durations.to_text(timedelta(seconds=round(seconds)))


def _clock(at: float, *, with_day: bool = False) -> str:
    return f"{datetime.fromtimestamp(at, UTC):{'%Y-%m-%d %H:%M:%S' if with_day else '%H:%M:%S'}} UTC"
