"""The follower: takes attempts that are due, calls their engines, and records what is new.

1. Each pass asks which connections have something due, and takes of each as much as it has room for. What is taken is
   called at once: nothing waits in a queue of this process, so another follower can always take the rest.
2. A slow or dead engine fills its own room only: room is per connection, bounded by a share of the whole, and shrinks
   to a single call after failures.
3. A look at what goes on is noted in a batch, without a release's lock; an end and what is new of a log go through
   `attempts.record`.
4. A hint through Redis starts a pass at once; without one there is a pass every second. Hints of releases that have
   changed bring the looks of whatever waits for them forward.

Killed anywhere, the leases of what was taken run out and another pass asks again: by reference, or by key.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any, TypeVar

from django.db import Error, close_old_connections, connection
from django.utils import timezone

from activities.runners import Outcome
from activities.web.client import Web
from config import hints
from config.errors import PilothouseError, RunnerUnavailable
from releases.execution import attempts, following
from releases.execution.following import Line, Look
from releases.execution.orders import LONGEST_LINK
from releases.follower import calls
from releases.follower.line import IDLE, CallLine
from releases.follower.orders import Task, prepare

log = logging.getLogger(__name__)

Result = TypeVar("Result")

EVERY = 1.0
"""Seconds between two passes without a hint."""
GAP = 0.05
"""Seconds between two passes at least."""
MOST = 1_000
"""Calls under way at once; one connection has at most a quarter of them."""
LEASE, WITHIN = 75.0, 45.0
"""Seconds for which an attempt is taken, and that one call about it may take."""
LATE_EVERY = timedelta(seconds=5)
"""How often what has passed its timeout is searched for at engines that are left alone."""
WAITING_EVERY = 0.25
"""Seconds between two searches for what waits for releases that have changed."""
THREADS, EACH = 6, 3
"""Threads that speak with the database, and how many of them may record for one connection at once."""
STOP_WITHIN = 10.0
"""Seconds for calls under way to end when the follower is to stop."""


class Follower:
    """Follows until `stop()`. `lease` is for how long an attempt is taken, `within` how long one call may take."""

    def __init__(self, *, most: int = MOST, lease: float = LEASE, within: float = WITHIN) -> None:
        self._most, self._lease, self._within = most, timedelta(seconds=lease), within
        self._lines: dict[str, CallLine] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._late_at = timezone.now()
        self._looked: list[Look] = []
        self._changed: set[int] = set()
        self._wake, self._stopping = asyncio.Event(), asyncio.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="follow")

    async def run(self) -> None:
        """Follows until it is asked to stop, then lets go of what it has taken."""
        beside = (
            hints.heard_follow(self._wake.set),
            hints.heard_changed(self._changed.update),
            self._flush_often(),
            self._wake_waiting_often(),
        )
        helpers = [asyncio.create_task(one) for one in beside]
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                wait = await self._pass_once()
                await asyncio.sleep(GAP)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
        finally:
            for helper in helpers:
                helper.cancel()
            await self._end()

    def stop(self) -> None:
        """Asks it to stop."""
        self._stopping.set()
        self._wake.set()

    async def _pass_once(self) -> float:
        """Take what is due and call about it; return in how many seconds to look again at the latest."""
        try:
            now = timezone.now()
            due = {line.slug: line for line in await self._ask_database(following.lines, now=now)}
            rooms = self._rooms(due)
            if rooms:
                taking = functools.partial(following.take, rooms, now=now, lease=now + self._lease)
                tasks = await self._ask_database(lambda: prepare(taking(), due))
                self._begin(tasks, rooms)
            await self._end_late(due, now)
            await self._close_idle()
        except (Error, PilothouseError) as error:
            log.warning("What is due cannot be taken: %s", error)
            return 2 * EVERY
        rests = [line.resumes_in for slug, line in self._lines.items() if slug in due and line.is_resting]
        return min([EVERY, *rests])

    def _rooms(self, due: dict[str, Line]) -> dict[str, int]:
        share = max(1, self._most // 4)
        wanting = {}
        for slug, line in due.items():
            calling = self._lines.setdefault(slug, CallLine(EACH))
            wanting[slug] = min(calling.room(line.limits), share - calling.busy)
        wanting = {slug: room for slug, room in wanting.items() if room > 0}
        free = self._most - len(self._calls)
        if not wanting or free <= 0:
            return {}
        fair = max(1, free // len(wanting))
        chosen = random.sample(sorted(wanting), min(len(wanting), free))
        return {slug: min(wanting[slug], fair) for slug in chosen}

    async def _end_late(self, due: dict[str, Line], now: datetime) -> None:
        """End what has passed its timeout at engines that are left alone: nobody needs to be asked for that."""
        resting = [slug for slug in due if self._lines[slug].is_resting]
        if not resting or now < self._late_at:
            return
        self._late_at = now + LATE_EVERY
        taking = functools.partial(following.take_late, resting, now=now, lease=now + self._lease)
        for task in await self._ask_database(lambda: prepare(taking(), due)):
            error = f"{calls.LATE} {calls.AWAY}"
            outcome = Outcome("timed_out", task.taken.reference, error=error, look_in=calls.AGAIN)
            line = self._lines[task.taken.connection]
            line.begin(1)
            self._watch(line, self._record(task, outcome, now))

    def _begin(self, tasks: list[Task], rooms: dict[str, int]) -> None:
        counts: dict[str, int] = {}
        for task in tasks:
            counts[task.taken.connection] = counts.get(task.taken.connection, 0) + 1
        for slug, count in counts.items():
            self._lines[slug].begin(count)
            self._lines[slug].wants_more = count >= rooms[slug]
        for task in tasks:
            self._watch(self._lines[task.taken.connection], self._carry_out(task))

    def _watch(self, line: CallLine, work: Coroutine[Any, Any, None]) -> None:
        call = asyncio.create_task(work)
        self._calls.add(call)
        call.add_done_callback(functools.partial(self._ended, line))

    def _ended(self, line: CallLine, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        line.end()
        if line.wants_more:
            self._wake.set()
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("What an engine answered could not be recorded; it is asked again: %s", error, exc_info=error)

    async def _carry_out(self, task: Task) -> None:
        line = self._lines[task.taken.connection]
        web = Web(line.pool(), task.order.masks if task.order else ())
        if task.wrong is not None and task.wrong.code == "not_an_engine" and not task.taken.is_cancelled:
            await self._ask_database(following.hand_back, task.taken.id, now=timezone.now())
        elif task.taken.is_cancelled:
            await self._cancel(task, line, web)
        elif not (task.taken.is_open and task.taken.is_current):
            await self._ask_database(following.leave, task.taken.id, lease=task.taken.lease)
        else:
            await self._ask(task, line, web)

    async def _ask(self, task: Task, line: CallLine, web: Web) -> None:
        try:
            outcome = await calls.ask(task, web, within=self._within, now=timezone.now())
            if outcome.status == "timed_out" and outcome.look_in is not None:
                line.failed()
            else:
                line.worked(web.rest)
        except PilothouseError as error:
            if error is not task.wrong:
                self._note(line, error)
            outcome = calls.failure(error, is_start=task.is_start)
        now = timezone.now()
        if not outcome.is_over:
            outcome = replace(outcome, look_in=calls.next_look(outcome, task, now))
            if not outcome.log and outcome.log_offset <= task.taken.log_offset:
                self._looked.append(_look(task, outcome, now))
                return
        await self._record(task, outcome, now)

    async def _record(self, task: Task, outcome: Outcome, now: datetime) -> None:
        async with self._lines[task.taken.connection].recording:
            await self._ask_database(attempts.record, task.claim, outcome, now=timezone.now())
        if outcome.status == "timed_out" and outcome.look_in is not None:
            await self._ask_database(following.cancel_later, task.taken.id, now=now, seconds=outcome.look_in)

    async def _cancel(self, task: Task, line: CallLine, web: Web) -> None:
        try:
            error = await calls.cancel(task, web, within=self._within)
        except RunnerUnavailable as unavailable:
            self._note(line, unavailable)
            again = timezone.now() + timedelta(seconds=unavailable.retry_after or calls.AGAIN)
            await self._ask_database(following.put_off, task.taken.id, lease=task.taken.lease, until=again)
            return
        line.worked(web.rest)
        release_id = task.taken.release_id
        done = functools.partial(attempts.end_cancelled, task.taken.id, error, release_id=release_id)
        await self._ask_database(done, now=timezone.now())

    def _note(self, line: CallLine, error: PilothouseError) -> None:
        if isinstance(error, RunnerUnavailable):
            line.failed(error.retry_after)
        else:
            line.worked()

    # The database -----------------------------------------------------------------------------------------------------
    async def _ask_database(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Do something with the database in a thread of its own. Raises django.db.Error when that fails."""
        doing = functools.partial(_with_connection, work, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, doing)

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            try:
                await self._flush()
            except Exception:
                log.exception("What looks have found could not be written; their leases run out.")

    async def _flush(self) -> None:
        looked, self._looked = self._looked, []
        if looked:
            try:
                await self._ask_database(following.note, looked, now=timezone.now())
            except Error as error:
                log.warning("The next looks could not be written; their leases run out: %s", error)

    async def _wake_waiting_often(self) -> None:
        while True:
            await asyncio.sleep(WAITING_EVERY)
            changed = frozenset(self._changed)
            self._changed.clear()
            try:
                woken = await self._ask_database(following.wake_waiting, changed, now=timezone.now()) if changed else 0
                if woken:
                    self._wake.set()
            except Error as error:
                log.warning("What waits for releases could not be woken; it is looked at soon: %s", error)

    async def _close_idle(self) -> None:
        idle = [slug for slug, line in self._lines.items() if not line.busy and line.idles_for > IDLE]
        for slug in idle:
            await self._lines.pop(slug).close()

    async def _end(self) -> None:
        if self._calls:
            _, left = await asyncio.wait(self._calls, timeout=STOP_WITHIN)
            for call in left:
                call.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self._flush()
        for line in self._lines.values():
            await line.close()
        barrier = Barrier(THREADS)
        closing = (self._ask_database(_close, barrier) for _ in range(THREADS))
        await asyncio.gather(*closing, return_exceptions=True)
        self._threads.shutdown()


def _look(task: Task, outcome: Outcome, now: datetime) -> Look:
    known, link = task.taken, outcome.link if len(outcome.link) <= LONGEST_LINK else ""
    reference = outcome.reference or (link and task.claim.key)
    return Look(
        known.id,
        known.release_id,
        known.lease,
        now + timedelta(seconds=outcome.look_in or 0.0),
        reference,
        link,
        outcome.error,
        None if outcome.progress is None else json.dumps(outcome.progress),
        is_news=outcome.progress is not None or outcome.error != known.error or reference not in ("", known.reference),
    )


def _with_connection(work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    close_old_connections()
    return work(*arguments, **named)


def _close(barrier: Barrier) -> None:
    """Close this thread's connection, at the same time as the other threads theirs: each gets one of these."""
    barrier.wait(5)
    connection.close()
