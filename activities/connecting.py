"""Speaking with an engine while a person waits: is a connection right, what can be started there, what does it want."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.views.decorators.debug import sensitive_variables

from activities import secrets
from activities.canonical import secret_names
from activities.engines import Connected, Engine, Parameter, Pipeline, engine_for, understood
from activities.models import Connection
from activities.web.addresses import is_link
from activities.web.client import Web, make_pool
from config.counting import count
from config.errors import (
    EngineFailed,
    InvalidInput,
    PilothouseError,
    RunnerError,
    RunnerUnavailable,
    TooManyRequests,
)
from config.permissions import require
from config.trail import Actor

Told = TypeVar("Told")
Revealed = Mapping[str, str | PilothouseError]

PATIENCE = 20.0
"""Seconds for which a person waits for an engine."""
EACH = 30
"""Questions to engines that one person may ask in a minute."""


def check(actor: Actor, connection: Connection) -> str:
    """Returns in one sentence whom the engine takes us for.

    Raises NotPermitted, TooManyRequests, or EngineFailed with what is wrong.
    """
    require(actor, "activities.change_connection", connection)
    return _ask(actor, connection, lambda engine, connected, web: engine.check(connected, web))


def pipelines(actor: Actor, connection: Connection, search: str = "") -> Sequence[Pipeline]:
    """Returns what may be started at a connection that the actor may see. Raises TooManyRequests or EngineFailed."""
    found = _ask(actor, connection, lambda engine, connected, web: engine.pipelines(connected, web, search[:200]))
    return [one if is_link(one.link) else replace(one, link="") for one in found[:100]]


def parameters(actor: Actor, connection: Connection, pipeline: str) -> Sequence[Parameter]:
    """Returns what a pipeline wants to know. Raises TooManyRequests or EngineFailed."""
    return _ask(actor, connection, lambda engine, connected, web: engine.parameters(connected, web, pipeline))


@sensitive_variables()
def connected(connection: Connection) -> Connected:
    """Returns a connection with its secrets revealed. Raises RunnerError when one cannot be."""
    names = secret_names(connection.settings) | ({connection.secret.name} if connection.secret else set())
    revealed, used = secrets.reveal_all(names), dict[str, str]()
    settings = resolved(connection.settings, revealed, used)
    secret = value_of(connection.secret.name, revealed, used) if connection.secret else None
    return Connected(connection.slug, settings, secret, tuple(used.values()))


@sensitive_variables()
def resolved(value: Any, revealed: Revealed, used: dict[str, str]) -> Any:
    """Returns a value with each `{secret: name}` inside replaced; what was used is noted. Raises RunnerUnavailable."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            return value_of(value["secret"], revealed, used)
        return {key: resolved(inner, revealed, used) for key, inner in value.items()}
    return [resolved(inner, revealed, used) for inner in value] if isinstance(value, list) else value


@sensitive_variables()
def value_of(name: str, revealed: Revealed, used: dict[str, str]) -> str:
    """Returns a secret's value and notes it in `used`. Raises RunnerUnavailable while it has none."""
    found = revealed[name]
    if isinstance(found, InvalidInput):
        raise RunnerUnavailable(found.message)
    if isinstance(found, PilothouseError):
        raise found
    used[name] = found
    return found


def _ask(actor: Actor, connection: Connection, call: Callable[[Engine, Connected, Web], Awaitable[Told]]) -> Told:
    _count(actor)
    try:
        engine, known = engine_for(connection.provider), connected(connection)

        async def story() -> Told:
            async with asyncio.timeout(PATIENCE), make_pool(connections=2) as pool:
                return await understood(call(engine, known, Web(pool, known.masks)), known.masks)

        told: Told = async_to_sync(story)()
    except TimeoutError:
        raise EngineFailed("The engine did not answer in time.", code="engine_unavailable") from None
    except RunnerError as error:
        code = "engine_unavailable" if isinstance(error, RunnerUnavailable) else "engine_refused"
        raise EngineFailed(error.message, code=code) from None
    return told


def _count(actor: Actor) -> None:
    """Counts a question. Raises TooManyRequests when this person has asked too many in this minute."""
    if not isinstance(actor, User):
        return
    if count(f"engine-questions:{actor.pk}", within=TooManyRequests.wait) > EACH:
        raise TooManyRequests
