"""Who listens in this web process: one subscription to Redis, fanned out in memory to the seats of open streams.

A seat keeps the set of topics that have changed and were not told yet, so a slow reader costs no memory and hears of
each topic once. The hub also remembers when each topic last changed: a page says how old it is when it begins to
listen, and hears at once of what has changed since. While Redis is away nobody has a seat, so that every page knows
that it must ask for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter

import redis.asyncio
from redis import RedisError

from config.hints import address_of, channel_of

log = logging.getLogger(__name__)

EVERYTHING = "releases"
REMEMBERED = 20_000  # topics whose last change is known
AGAIN_AFTER = 1.0  # seconds until Redis is tried again
CHECK_EVERY = 5.0  # seconds of silence after which the connection to Redis is looked at


class Full(Exception):
    """There is no seat left, for this person or for anybody."""


class Deaf(Exception):
    """Redis cannot be heard, or this process is about to end."""


class Seat:
    """One open stream's place: what it listens to, and what it has not told yet."""

    def __init__(self, person: int, topics: frozenset[str]) -> None:
        self.person, self.topics = person, topics
        self._is_over = False
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    def tell(self, topic: str) -> None:
        """Take note that a topic has changed."""
        self._changed.add(topic)
        self._wake.set()

    def end(self) -> None:
        """Have the stream end."""
        self._is_over = True
        self._wake.set()

    async def next(self, within: float) -> list[str] | None:
        """Wait for changes, at most so many seconds; return their topics (perhaps none), or None when it is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._wake.wait()
        if self._is_over:
            return None
        self._wake.clear()
        topics, self._changed = sorted(self._changed), set()
        return topics


class Hub:
    """The seats of one web process. `seats` is how many there are in all, `each` how many one person may have."""

    def __init__(self, url: str, *, seats: int, each: int) -> None:
        self._url, self._most, self._each = url, seats, each
        self._seats: dict[str, set[Seat]] = {}
        self._people: Counter[int] = Counter()
        self._changed_at: dict[str, float] = {}
        self._hears_since: float | None = None
        self._is_closed = False
        self._listening: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self._people.total()

    def take(self, person: int, topics: frozenset[str], *, since: float) -> Seat:
        """Return a seat for topics as they were at the monotonic moment `since`. Raises Full or Deaf."""
        if self._hears_since is None or self._is_closed:
            raise Deaf
        if len(self) >= self._most or self._people[person] >= self._each:
            raise Full
        seat = Seat(person, topics)
        self._people[person] += 1
        for topic in topics:
            self._seats.setdefault(topic, set()).add(seat)
            if since < self._hears_since or self._changed_at.get(topic, since) > since:
                seat.tell(topic)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give a seat back."""
        self._people[seat.person] -= 1
        self._people += Counter()  # forgets who has none
        for topic in seat.topics:
            there = self._seats[topic]
            there.discard(seat)
            if not there:
                del self._seats[topic]

    def hears(self) -> None:
        """From now on every word is heard."""
        self._hears_since = time.monotonic()

    def hear(self, text: str) -> None:
        """Take in a word from Redis: the ids of releases that have changed, or none of them."""
        now = time.monotonic()
        if len(self._changed_at) > REMEMBERED:
            self._changed_at.clear()
            self._hears_since = now
        for topic in (EVERYTHING, *(f"release:{number}" for number in text.split())):
            self._changed_at[topic] = now
            for seat in self._seats.get(topic, ()):
                seat.tell(topic)

    def start(self) -> None:
        """Begin to listen to Redis, in the running loop."""
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    def close(self) -> None:
        """End every stream and let nobody in any more."""
        self._is_closed = True
        if self._listening is not None:
            self._listening.cancel()
        self._empty()

    def _empty(self) -> None:
        self._hears_since = None
        for seat in {seat for seats in self._seats.values() for seat in seats}:
            seat.end()

    async def _listen(self) -> None:
        is_told = False
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError) as error:
                if self._hears_since is not None or not is_told:
                    log.warning("Pages ask for changes themselves, since Redis cannot be heard: %s", error)
                    is_told = True
            self._empty()
            await asyncio.sleep(AGAIN_AFTER)

    async def _listen_once(self) -> None:
        """Listen until the connection breaks. Raises RedisError or OSError."""
        client = redis.asyncio.Redis.from_url(
            address_of(self._url), socket_connect_timeout=2, health_check_interval=CHECK_EVERY, decode_responses=True
        )
        async with client, client.pubsub() as heard:
            await heard.subscribe(channel_of(client.connection_pool))
            while True:
                message = await heard.get_message(timeout=CHECK_EVERY)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self.hears()
                elif message["type"] == "message":
                    self.hear(message["data"])
