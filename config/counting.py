"""How often somebody has done something, counted for the whole installation in the broker's Redis.

Where Redis is away each process counts for itself: a limit then holds a little less, and nobody is kept from working.
"""

from __future__ import annotations

import logging
import time
from functools import cache

import redis
from django.conf import settings
from django.core.cache import cache as here
from django.db import connection

from config.hints import PAUSE, client_of

log = logging.getLogger(__name__)


def count(what: str, *, within: int) -> int:
    """Count once more what is named, and return how often that was in the present span of `within` seconds.

    A span begins with the first time that is counted.
    """
    key = f"pilothouse.count.{connection.settings_dict['NAME']}.{what}"
    counted = _counter(settings.CELERY_BROKER_URL).count(key, within)
    return counted if counted is not None else _count_here(what, within)


def _count_here(what: str, within: int) -> int:
    here.add(what, 0, within)
    try:
        return here.incr(what)
    except ValueError:  # the span has ended in between
        return 1


class _Counter:
    """The way to Redis, tried again only after a pause when it is cut."""

    def __init__(self, url: str) -> None:
        self._client = client_of(url)
        self._away_until = 0.0

    def count(self, key: str, within: int) -> int | None:
        """Return the count; None while Redis cannot be asked."""
        if time.monotonic() < self._away_until:
            return None
        try:
            with self._client.pipeline() as asked:
                asked.set(key, 0, ex=within, nx=True)
                asked.incr(key)
                return int(asked.execute()[1])
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + PAUSE
            log.warning("Questions are counted by each process, since Redis cannot be reached: %s", error)
            return None


@cache
def _counter(url: str) -> _Counter:
    return _Counter(url)
