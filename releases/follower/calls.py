"""One call of an engine about one attempt, and what its answer means."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from activities.engines import Engine, understood
from activities.masking import mask
from activities.runners import Order, Outcome
from activities.web.addresses import is_link
from activities.web.client import Web
from config.errors import PilothouseError, RunnerRefused, RunnerUnavailable
from releases.follower.orders import Task

QUICKEST, SLOWEST = 2.0, 60.0
"""Seconds between two looks at something young, and at something old."""
AGAIN = 15.0
"""Seconds until an engine that could not be asked about something is asked about it again."""
LONGEST_REFERENCE = 500
LATE, AWAY = "It took longer than its timeout.", "Its engine has not been told: it cannot be reached."
_MENDABLE = ("engine_denied", "address_refused")


async def ask(task: Task, web: Web, *, within: float, now: datetime) -> Outcome:
    """Start or look at an attempt, and end one that has passed its timeout. Raises PilothouseError."""
    late = task.is_late(now)
    if late and task.wrong is not None:
        return Outcome("timed_out", task.taken.reference, error=f"{LATE} {task.wrong.message}", look_in=AGAIN)
    engine, order = _ready(task)
    async with _limit(within):
        if task.is_start and not late:
            outcome = await understood(engine.start(order, web), order.masks)
        else:
            outcome = await _looked(task, engine, order, web, late=late)
    if len(outcome.reference) > LONGEST_REFERENCE:
        raise RunnerRefused("The engine's name for what was started is too long to be kept.")
    return masked(outcome, order)


async def _looked(task: Task, engine: Engine, order: Order, web: Web, *, late: bool) -> Outcome:
    reference, offset = task.taken.reference, task.taken.log_offset
    try:
        outcome = Outcome("running")
        if reference:
            outcome = await understood(engine.look(order, reference, offset, web), order.masks)
    except PilothouseError as unanswered:
        if not late:
            raise
        outcome = Outcome("running", error=unanswered.message)
    if not late or outcome.is_over:
        return outcome
    error = LATE
    try:
        await understood(engine.cancel(order, reference, web), order.masks)
    except PilothouseError as refusal:
        error = f"{error} Its engine has not been told: {refusal.message}"
        outcome = replace(outcome, look_in=AGAIN)
    return replace(outcome, status="timed_out", reference=reference, error=error)


async def cancel(task: Task, web: Web, *, within: float) -> str:
    """End an attempt at its engine; return what is to be written about it. Raises RunnerUnavailable."""
    if task.is_start and not task.taken.again:
        return "Cancelled before it was started."
    try:
        engine, order = _ready(task)
        async with _limit(within):
            await understood(engine.cancel(order, task.taken.reference, web), order.masks)
    except RunnerUnavailable:
        raise
    except PilothouseError as refusal:
        return f"It could not be cancelled: {refusal.message}"
    return "Cancelled, since its activity was stopped."


def _ready(task: Task) -> tuple[Engine, Order]:
    if task.wrong is not None:
        raise task.wrong
    assert task.engine is not None
    assert task.order is not None
    return task.engine, task.order


@asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """Ends a call that takes too long. Raises RunnerUnavailable."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RunnerUnavailable("The engine did not answer in time.") from None


def masked(outcome: Outcome, order: Order) -> Outcome:
    """Return an outcome without any secret of its order, and without a link that is none."""
    masks = order.masks
    if outcome.link and not is_link(outcome.link):
        outcome = replace(outcome, link="")
    if not masks:
        return outcome
    outputs = {name: mask(text, masks) for name, text in outcome.outputs.items()}
    error, log_text, link = (mask(text, masks) for text in (outcome.error, outcome.log, outcome.link))
    progress = _masked(outcome.progress, masks)
    return replace(outcome, outputs=outputs, error=error, log=log_text, link=link, progress=progress)


def _masked(value: Any, masks: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return mask(value, masks)
    if isinstance(value, Mapping):
        return {name: _masked(inner, masks) for name, inner in value.items()}
    return [_masked(inner, masks) for inner in value] if isinstance(value, list) else value


def failure(error: PilothouseError, *, is_start: bool) -> Outcome:
    """Return what an error of a call means for the attempt.

    Only a refused start and a look at something that the engine does not know end it: a refused sign-in may be put
    right while the work goes on.
    """
    if isinstance(error, RunnerUnavailable) or (error.code in _MENDABLE and not is_start):
        retry_after = getattr(error, "retry_after", None) or 0.0
        return Outcome("running", error=error.message, look_in=max(AGAIN, retry_after) * _jitter())
    return Outcome("failed", error=error.message)


def next_look(outcome: Outcome, task: Task, now: datetime) -> float:
    """Return in how many seconds to look again: soon at first, later with age, as the engine says if it does."""
    age = (now - task.taken.started_at).total_seconds()
    seconds = outcome.look_in
    if seconds is None:
        seconds = min(SLOWEST, max(QUICKEST, age / 10)) * _jitter()
    if task.taken.deadline_at is not None:
        seconds = min(seconds, max(0.5, (task.taken.deadline_at - now).total_seconds()))
    return seconds


def _jitter() -> float:
    return random.uniform(0.9, 1.1)  # noqa: S311  spreads calls, hides nothing
