"""What the systems for feature flags share: their verbs, parameters, outputs, and the way a change is made once.

1. `start` changes nothing: it reads how the flag stands and keeps that in the reference, before anything happens to it.
2. `look` changes the flag unless it stands as it should, reads it back, and says what stands; doing so twice, or after
   an answer that was lost, does no harm and forgets nothing of how it stood before.

What a system is asked is a `Place`: one flag, in one environment, of one connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from activities.engines import Connected, Parameter, Pipeline, Schema, settings_of, work_of
from activities.runners import Order, Outcome
from activities.web.client import Web
from config.errors import Fault, RunnerRefused

VERBS: Mapping[str, str] = {
    "create": "Makes the flag, off; one that is there already is fine",
    "enable": "Turns the flag on for everyone in the environment",
    "rollout": "Turns the flag on for a percentage of the environment",
    "off": "Turns the flag off in the environment",
}
SETTLING = 5.0
"""Seconds until a change that takes its time is looked for again."""
ABSENT = "absent"
_NAME = r"^(?=.*\w)[^/\\?#\x00-\x1f\x7f]{1,250}$"
_SHAPES: Mapping[str, tuple[str, str]] = {
    "flag": (_NAME, "Write the flag's key, like new-checkout."),
    "environment": (_NAME, "Write the environment's key, like production."),
    "percentage": (r"^(100|[1-9]?[0-9])$", "Write a whole number from 0 to 100."),
    "enabled": (r"^(true|false)$", "Write true or false."),
    "stickiness": (_NAME, "Write the name of what keeps a user's answer the same, like userId."),
    "kind": (_NAME, "Write the kind of flag, like release."),
    "description": (r"^[\s\S]{0,2000}$", "Write at most 2000 characters."),
}
_OF_VERB: Mapping[str, tuple[str, ...]] = {
    "create": ("flag", "environment", "description", "kind"),
    "enable": ("flag", "environment"),
    "rollout": ("flag", "environment", "percentage", "stickiness", "enabled"),
    "off": ("flag", "environment"),
}
_ABOUT: Mapping[str, str] = {
    "flag": "The flag's key",
    "environment": "Left out, the connection's",
    "percentage": "Of whom the system decides for, 0 to 100",
    "enabled": "false: sets the percentage and turns the flag off, which is how it is set back",
    "stickiness": "What keeps a user's answer the same",
    "kind": "The kind of flag, as the system calls it",
    "description": "What the flag is for",
}

ENVIRONMENT: Schema = {
    "type": "string",
    "pattern": _NAME,
    "x-words": "an environment",
    "x-cure": _SHAPES["environment"][1],
}
"""The schema of a connection's setting that names the environment of activities that name none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a flag stands in its environment. `percentage` is None if it is not one; `notes` tell what else decides."""

    enabled: bool
    percentage: float | None = None
    stickiness: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        share = "" if self.percentage is None else f" {self.percentage:g}"
        return f"{'on' if self.enabled else 'off'}{share}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order wants of a flag; `enabled` and `percentage` are None where they may stay as they are."""

    verb: str
    flag: str
    environment: str
    enabled: bool | None = None
    percentage: int | None = None
    stickiness: str = ""
    kind: str = ""
    description: str = ""

    def missed_by(self, standing: Standing | None) -> str:
        """Returns what is not as it is wanted, in words; nothing if all of it is."""
        if standing is None:
            return "it is not there"
        if self.enabled is not None and standing.enabled != self.enabled:
            return f"it is {'on' if standing.enabled else 'off'}"
        if self.percentage is not None and standing.percentage != self.percentage:
            return "its percentage is " + ("not one" if standing.percentage is None else f"{standing.percentage:g}")
        if self.stickiness and standing.stickiness != self.stickiness:
            return f"its stickiness is '{standing.stickiness}'"
        return ""


class Place(Protocol):
    """One flag in one environment of a system. Raises RunnerError as the web does."""

    @property
    def link(self) -> str:
        """The flag's page."""

    async def read(self) -> Standing | None:
        """Returns how the flag stands, None if there is none."""

    async def create(self) -> None:
        """Makes the flag; one that somebody else has made meanwhile is fine."""

    async def change(self, standing: Standing) -> None:
        """Makes the flag stand as it is wanted, first what makes it reach fewer people."""

    async def is_served(self) -> bool:
        """Says whether applications get the flag as it stands."""


Making = Callable[[Mapping[str, Any], str | None, Wanted, Web], Place]
Checking = Callable[[Connected, Web], Any]


class FlagEngine:
    """The engine of one system: `make` makes its places, `check` says who we are to it. A reference is a Standing."""

    def __init__(
        self,
        kind: str,
        settings: Schema,
        make: Making,
        check: Checking,
        extras: Sequence[str] = (),
        required: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.settings = settings_of({"environment": ENVIRONMENT, **settings}, required)
        self._make, self._check = make, check
        self._names = {
            verb: tuple(name for name in names if name not in ("stickiness", "kind") or name in extras)
            for verb, names in _OF_VERB.items()
        }
        known = {name: _schema(name) for names in self._names.values() for name in names}
        shape = settings_of(known, ("flag",))
        self.work = work_of({"pipeline": {"enum": list(VERBS)}, "parameters": shape}, ("pipeline", "parameters"))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Keeps how the flag stands now; nothing is changed yet."""
        wanted = self._wanted(order)
        place = self._make(order.connection, order.secret, wanted, web)
        standing = await place.read()
        if standing is None and wanted.verb != "create":
            raise RunnerRefused(f"There is no flag '{wanted.flag}': create it first.", code="no_flag")
        _require_kind(wanted, standing)
        return Outcome("running", ABSENT if standing is None else str(standing), place.link, look_in=0.0)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Makes the change unless it is made, and says what stands."""
        wanted = self._wanted(order)
        place = self._make(order.connection, order.secret, wanted, web)
        try:
            standing = await _changed(order, place, wanted)
            served = standing is not None and await place.is_served()
        except RunnerRefused as refusal:
            return Outcome("failed", reference, place.link, error=refusal.message)
        missed = wanted.missed_by(standing)
        if _is_late(order) and (missed or not served):
            return Outcome("running", reference, place.link)
        if standing is None or missed:
            error = f"The change of '{wanted.flag}' was not taken: {missed}."
            return Outcome("failed", reference, place.link, error=error)
        if not served:
            return Outcome("running", reference, place.link, look_in=SETTLING)
        log = _story(wanted, standing, reference) if log_offset == 0 else ""
        return Outcome("succeeded", reference, place.link, _outputs(wanted, standing, reference), "", log, 1)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Leaves the flag as it stands: a change is made within one call, or not at all."""

    async def check(self, connection: Connected, web: Web) -> str:
        """Says whom the system takes us for."""
        return str(await self._check(connection, web))

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002
        """Returns the verbs."""
        return [Pipeline(verb, verb.capitalize(), about) for verb, about in VERBS.items() if search.lower() in verb]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002
        """Returns what a verb wants to know. Raises RunnerRefused when there is no such verb."""
        default = str(connection.settings.get("environment", ""))
        return [_parameter(name, default) for name in self._names[_verb(pipeline)]]

    def _wanted(self, order: Order) -> Wanted:
        """Returns what the order wants. Raises RunnerRefused with everything that is wrong."""
        verb = _verb(str(order.spec.get("pipeline", "")))
        given = {name: text.strip() for name, text in order.parameters.items() if text.strip()}
        given.setdefault("environment", str(order.connection.get("environment", "")))
        faults = list(_faults(verb, self._names[verb], given))
        if faults:
            raise RunnerRefused(" ".join(map(str, faults)), code="parameters")
        shares = {"enable": 100, "rollout": int(given["percentage"]) if "percentage" in given else None}
        states = {"enable": True, "off": False, "rollout": given.get("enabled", "true") == "true"}
        words = {name: given.get(name, "") for name in ("stickiness", "kind", "description")}
        return Wanted(verb, given["flag"], given["environment"], states.get(verb), shares.get(verb), **words)


def place_name(settings: Mapping[str, Any], name: str, default: str) -> str:
    """Returns an address in a connection's settings without its last slash."""
    return str(settings.get(name, default)).rstrip("/")


def percent_of(found: object) -> float | None:
    """Returns what a system tells as a percentage, None if it is none."""
    try:
        number = float(str(found))
    except ValueError:
        return None
    return number if 0 <= number <= 100 else None


async def _changed(order: Order, place: Place, wanted: Wanted) -> Standing | None:
    """Makes the change if it is not made, and returns how the flag stands then."""
    standing = await place.read()
    if not wanted.missed_by(standing) or _is_late(order):
        return standing
    if wanted.verb == "create":
        await place.create()
    elif standing is None:
        raise RunnerRefused(f"The flag '{wanted.flag}' is no longer there.")
    else:
        await place.change(standing)
    standing = await place.read()
    _require_kind(wanted, standing)
    return standing


def _require_kind(wanted: Wanted, standing: Standing | None) -> None:
    if standing is not None and wanted.kind and standing.kind != wanted.kind:
        told = f"The flag '{wanted.flag}' is there already, of the kind '{standing.kind}' and not '{wanted.kind}'."
        raise RunnerRefused(told, code="other_kind")


def _is_late(order: Order) -> bool:
    """Whether the order has passed its timeout, after which nothing may change any more."""
    if order.timeout is None or order.started_at is None:
        return False
    return datetime.now(UTC) >= order.started_at + timedelta(seconds=order.timeout)


def _verb(pipeline: str) -> str:
    if pipeline not in VERBS:
        raise RunnerRefused(f"There is no '{pipeline}'; write one of: {', '.join(VERBS)}.", code="no_pipeline")
    return pipeline


def _faults(verb: str, names: Sequence[str], given: Mapping[str, str]) -> Iterator[Fault]:
    for name in given:
        if name not in names:
            yield Fault(name, f"'{verb}' takes no such parameter.", f"It takes {', '.join(names)}.")
    needed = ["flag", "environment"]
    if verb == "rollout" and given.get("enabled") != "false":
        needed.append("percentage")
    for name in names:
        pattern, cure = _SHAPES[name]
        if not given.get(name):
            if name in needed:
                yield Fault(name, "It is missing.", cure)
        elif not re.fullmatch(pattern, given[name]):
            yield Fault(name, f"'{given[name][:60]}' is not one.", cure)


def _schema(name: str) -> Schema:
    pattern, cure = _SHAPES[name]
    return {"type": "string", "pattern": pattern, "x-words": f"a '{name}'", "x-cure": cure}


def _parameter(name: str, environment: str) -> Parameter:
    defaults = {"environment": environment, "enabled": "true"}
    kind = {"percentage": "integer", "enabled": "boolean"}.get(name, "string")
    required = name in ("flag", "percentage") or (name == "environment" and not environment)
    return Parameter(name, kind, _ABOUT[name], defaults.get(name, ""), (), required)


def _outputs(wanted: Wanted, standing: Standing, before: str) -> dict[str, str]:
    was, _, share = before.partition(" ")
    return {
        "flag": wanted.flag,
        "environment": wanted.environment,
        "enabled": str(standing.enabled).lower(),
        "percentage": "" if standing.percentage is None else f"{standing.percentage:g}",
        "previous_enabled": str(was == "on").lower(),
        "previous_percentage": share,
    }


def _story(wanted: Wanted, standing: Standing, before: str) -> str:
    was, is_now = (_said(*text.partition(" ")[::2]) for text in (before, str(standing)))
    lines = [f"'{wanted.flag}' in '{wanted.environment}' was {was}; it is {is_now}.", *standing.notes]
    return "".join(f"{line}\n" for line in lines)


def _said(state: str, share: str) -> str:
    if state == ABSENT:
        return "not there"
    return f"{state} for {share} %" if state == "on" and share else f"{state}{f' (at {share} %)' if share else ''}"
