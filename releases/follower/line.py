"""One connection as the follower sees it: how much may be under way there, and how long it is left alone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping

import activities.web.client as web

CONCURRENCY = 20
"""Calls of one connection at once, unless its limits say otherwise."""
MOST_CONCURRENCY = 500
PATIENT = 3
"""Failures in a row after which a connection is left alone for a while."""
LONGEST_REST = 60.0
IDLE = 120.0
"""Seconds after which a connection that nothing is due at is closed."""


class CallLine:
    """What one follower does at one connection.

    After some failures in a row it rests, each time longer, then tries with one call: whoever is dead costs nothing.
    """

    def __init__(self, recordings: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.recording = asyncio.Semaphore(recordings)
        self.busy = 0
        self.wants_more = False
        self.used_at = clock()
        self._failures = self._rests = 0
        self._resume_at = 0.0
        self._calls: list[float] = []
        self._limit, self._per_minute = CONCURRENCY, 0
        self._pool: web.Pool | None = None

    def room(self, limits: Mapping[str, float]) -> int:
        """Returns how many calls may begin now."""
        self._limit = max(1, min(MOST_CONCURRENCY, int(limits.get("concurrency", CONCURRENCY))))
        if self.is_resting:
            return 0
        free = (1 if self._rests else self._limit) - self.busy
        self._per_minute = int(limits.get("per_minute", 0))
        if self._per_minute:
            since = self._clock() - 60
            self._calls = [moment for moment in self._calls if moment > since]
            free = min(free, self._per_minute - len(self._calls))
        return max(0, free)

    @property
    def is_resting(self) -> bool:
        """Whether it is left alone."""
        return self._clock() < self._resume_at

    @property
    def resumes_in(self) -> float:
        """Seconds until it is no longer left alone."""
        return max(0.0, self._resume_at - self._clock())

    @property
    def idles_for(self) -> float:
        """Seconds since it was used."""
        return self._clock() - self.used_at

    def begin(self, count: int) -> None:
        """Takes note of calls that begin."""
        self.busy += count
        self.used_at = self._clock()
        if self._per_minute:
            self._calls.extend([self.used_at] * count)

    def end(self) -> None:
        """Takes note of a call that has ended, however."""
        self.busy -= 1
        self.used_at = self._clock()

    def worked(self, rest: float = 0.0) -> None:
        """Takes note of an answer; `rest` is for how long the engine asks to be left alone."""
        self._failures = self._rests = 0
        if rest:
            self._rest(rest)

    def failed(self, retry_after: float | None = None) -> None:
        """Takes note that the engine could not be asked."""
        if retry_after:
            self._rest(retry_after)
            return
        if self.is_resting:
            return
        self._failures += 1
        if self._failures >= PATIENT:
            self._rests += 1
            self._rest(min(LONGEST_REST, 2.0 ** (self._rests - 1)))

    def _rest(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, self._clock() + seconds * random.uniform(1.0, 1.2))  # noqa: S311

    def pool(self) -> web.Pool:
        """Returns its open connections."""
        if self._pool is None:
            self._pool = web.make_pool(connections=self._limit)
        return self._pool

    async def close(self) -> None:
        """Closes its connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()
