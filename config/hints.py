"""Telling open pages that something has changed, and the follower that something is due: a word through the broker's
Redis, after the commit.

A hint carries ids, never content, and may be lost (law 5): pages read the database themselves, under the permissions of
their reader. One transaction sends one word, whatever it changed. A Redis that is away costs nobody more than a moment.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import redis
import redis.asyncio
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds for Redis to answer
PAUSE = 5.0  # seconds in which a Redis that did not answer is left alone


def address_of(url: str) -> str:
    """Return the broker's URL as Redis' own library writes it."""
    if not url.startswith("redis+socket://"):
        return url
    return url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")


def client_of(url: str) -> redis.Redis:
    """Return a way to the broker's Redis that soon gives up: after `PATIENCE`, and one more try."""
    once_more = Retry(NoBackoff(), 1)  # Redis may have been restarted since the last word
    return redis.Redis.from_url(
        address_of(url), socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=once_more
    )


def channel_of(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> str:
    """Return where the hints of this installation are told: channels are shared by all of a server's databases."""
    return f"pilothouse.changed.{pool.connection_kwargs.get('db', 0)}"


def follow_channel_of(pool: redis.ConnectionPool | redis.asyncio.ConnectionPool) -> str:
    """Return where followers are told that something is due."""
    return f"pilothouse.follow.{pool.connection_kwargs.get('db', 0)}"


def follow() -> None:
    """Wake the followers, at once; the word may be lost."""
    _teller(settings.CELERY_BROKER_URL).tell("", to=follow_channel_of)


def changed(release_id: int | None) -> None:
    """Have open pages told, once the current transaction is committed, that a release, or something else, has changed.

    Called again in the same transaction, it only adds to what is told.
    """
    hooks = (hook for _, hook, _ in transaction.get_connection().run_on_commit)
    word = next((hook for hook in hooks if isinstance(hook, _Word)), None)
    if word is not None:
        word.add(release_id)
        return
    word = _Word()
    word.add(release_id)
    transaction.on_commit(word, robust=True)


@contextmanager
def gathering() -> Iterator[None]:
    """Tell of everything that is changed in the block in one word at its end."""
    word = _Word()
    token = _gathered.set(word)
    try:
        yield
    finally:
        _gathered.reset(token)
        if word.ids:
            word()


async def heard_follow(wake: Callable[[], None]) -> None:
    """Call `wake` whenever `follow` was called anywhere, for ever; while Redis is away, nothing is heard."""
    await _heard(follow_channel_of, lambda _: wake())


async def heard_changed(tell: Callable[[set[int]], None]) -> None:
    """Call `tell` with the ids of releases that have changed, for ever; while Redis is away, nothing is heard."""
    await _heard(channel_of, lambda text: tell({int(word) for word in text.split() if word.isdecimal()}))


async def _heard(channel: Callable[[redis.asyncio.ConnectionPool], str], tell: Callable[[str], None]) -> None:
    while True:
        client = redis.asyncio.Redis.from_url(
            address_of(settings.CELERY_BROKER_URL), socket_connect_timeout=PATIENCE, health_check_interval=PAUSE
        )
        try:
            async with client, client.pubsub() as heard:
                await heard.subscribe(channel(client.connection_pool))
                while True:
                    if (message := await heard.get_message(timeout=PAUSE)) is not None:
                        data = message.get("data")
                        tell(data.decode(errors="replace") if isinstance(data, bytes) else "")
        except (redis.RedisError, OSError):
            await asyncio.sleep(PATIENCE)


class _Word:
    """What one transaction has to tell."""

    def __init__(self) -> None:
        self.ids: set[int] = set()

    def add(self, release_id: int | None) -> None:
        if release_id is not None:
            self.ids.add(release_id)

    def __call__(self) -> None:
        gathered = _gathered.get()
        if gathered is not None and self.ids:
            gathered.ids |= self.ids
        else:
            _teller(settings.CELERY_BROKER_URL).tell(" ".join(map(str, sorted(self.ids))))


_gathered: ContextVar[_Word | None] = ContextVar("gathered", default=None)


class _Teller:
    """The way to Redis, tried again only after a pause when it is cut."""

    def __init__(self, url: str) -> None:
        self._client = client_of(url)
        self._silent_until = 0.0
        self._is_cut = False

    def tell(self, text: str, *, to: Callable[[redis.ConnectionPool], str] = channel_of) -> None:
        """Send a word, or lose it."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._client.publish(to(self._client.connection_pool), text)
        except (redis.RedisError, OSError) as error:
            self._silent_until = time.monotonic() + PAUSE
            if not self._is_cut:
                log.warning("Open pages are not told of changes, since Redis cannot be reached: %s", error)
            self._is_cut = True
        else:
            self._is_cut = False


@cache
def _teller(url: str) -> _Teller:
    return _Teller(url)
