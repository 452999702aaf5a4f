"""An engine that is reached over the network: the verbs of a Runner, as coroutines, and what sets a connection up.

An engine is one small file in `activities/providers/`, keeps no state and opens no socket: `web` is its only way out.
It is called by the follower (`manage.py follow`), many orders at a time; raised RunnerUnavailable means "ask again",
RunnerRefused "do not". `start` may be called twice for one key (`order.again` says when): either the engine itself
knows a key it has seen, or the work that was started is searched for by what the engine echoes.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

from activities.runners import Order, Outcome, runner_for
from activities.web.answers import clean
from activities.web.client import Web
from config.errors import NotPermitted, PilothouseError, RunnerRefused, RunnerUnavailable

log = logging.getLogger(__name__)

Told = TypeVar("Told")
Schema = Mapping[str, Any]

MOST_LOG = 64 * 1024
"""Bytes at the end of a log that are kept, where an engine gives no log from an offset on."""
SKEW = timedelta(minutes=10)
"""By how much an engine's clock may differ from ours."""

SECRET: Schema = {
    "type": "object",
    "properties": {"secret": {"type": "string", "x-secret": True}},
    "required": ["secret"],
    "additionalProperties": False,
}
"""The schema of a setting that is a secret: documents name it, `{secret: its-name}`, and engines get its value."""
ADDRESS: Schema = {"type": "string", "format": "outbound-address", "maxLength": 2_000}
"""The schema of a setting that is an address to call."""


def settings_of(properties: Schema, required: Sequence[str] = ()) -> Schema:
    """Returns the schema of a connection's settings: these and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def work_of(properties: Schema, required: Sequence[str] = ()) -> Schema:
    """Returns the schema of an activity's automated block: these beside `connection` and `parameters`."""
    return settings_of({"connection": {}, "parameters": {}, **properties}, required)


def begun_after(order: Order) -> datetime:
    """Returns from when on, by the engine's clock, the work of an order can have begun; in UTC."""
    return ((order.started_at or datetime.now(UTC)) - SKEW).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection as an engine may use it: the secrets in its settings are their values already."""

    slug: str
    settings: Mapping[str, Any] = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    masks: tuple[str, ...] = field(default=(), repr=False)

    def hook(self) -> Mapping[str, Any]:
        """Returns the settings for calls of the engine. Raises NotPermitted where none are taken."""
        found: Mapping[str, Any] | None = self.settings.get("hook")
        if found is None:
            raise NotPermitted("This connection takes no calls.", code="no_hook")
        return found


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Something that an engine can start; `id` is what an activity names in `pipeline`."""

    id: str
    name: str
    description: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a pipeline wants to know; `type` is one of the types of inputs."""

    name: str
    type: str = "string"
    description: str = ""
    default: str = ""
    options: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """What an engine has sent to /hooks/<connection>/; header names are in small letters, the body is untouched."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime

    def told(self) -> Mapping[str, Any]:
        """Returns the JSON mapping in the body; an empty one if it is anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Engine(Protocol):
    """A pipeline engine. Every coroutine may raise RunnerUnavailable; none waits for the work to end."""

    kind: str
    settings: Schema
    work: Schema

    async def start(self, order: Order, web: Web) -> Outcome:
        """Starts the work once per `order.key`; asked again, answers with what was started. May raise RunnerRefused."""

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Says how the work stands, with the log from `log_offset` on."""

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Asks for the end of the work; without a reference, of what the key has started, if anything."""

    async def check(self, connection: Connected, web: Web) -> str:
        """Says in one sentence whom the engine takes us for. Raises RunnerError with what is wrong."""

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns what may be started, at most a hundred, those that contain `search`."""

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns what a pipeline wants to know."""


@runtime_checkable
class Calling(Protocol):
    """What an engine has beside, if it calls when something has happened."""

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the references (or keys) of the work that a call is about.

        Raises NotPermitted unless the call is signed by the engine's own scheme.
        """


async def understood(call: Awaitable[Told], masks: Collection[str] = ()) -> Told:
    """Awaits what an engine answers. Raises RunnerUnavailable when the engine has not understood what it was told.

    An engine is a plug-in: whatever it raises must not end whoever calls it, nor tell a secret.
    """
    try:
        return await call
    except (PilothouseError, TimeoutError):
        raise
    except Exception as error:
        said = clean(f"{type(error).__name__}: {error}", masks)
        log.warning("An engine's answer was not understood: %s", said, exc_info=log.isEnabledFor(logging.DEBUG))
        raise RunnerUnavailable(f"The engine's answer was not understood ({said}).") from None


def is_engine(runner: object) -> TypeGuard[Engine]:
    """Says whether a runner is one that is awaited."""
    return inspect.iscoroutinefunction(getattr(runner, "start", None))


def is_followed(provider: str) -> bool:
    """Says whether a provider is an engine that the follower calls; one that cannot be had is not."""
    try:
        return is_engine(runner_for(provider))
    except RunnerRefused:
        return False


def engine_for(provider: str) -> Engine:
    """Returns the engine of this name. Raises RunnerRefused when there is none, or it is not one to be awaited."""
    found: object = runner_for(provider)
    if not is_engine(found):
        raise RunnerRefused(f"The provider '{provider}' is not reached over the network.", code="not_an_engine")
    return found
