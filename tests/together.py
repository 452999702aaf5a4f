"""Doing several things at the same moment, each on a database connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

from django.db import connection, transaction

Act = Callable[[], Any]
PATIENCE = 60.0


def at_once(release_id: int, *acts: Act) -> list[Any]:
    """Let every act come as far as the release's lock, then let all of them go; return what each gave or raised."""
    return at_lock("releases_release", release_id, acts)


def at_lock(table: str, row_id: int, acts: Sequence[Act], *, meanwhile: Act | None = None) -> list[Any]:
    """The same with a row of any table; when all have come that far, `meanwhile` is done to its end before they go.

    Return what each act gave or raised, and what `meanwhile` did as the last one.
    """
    answers: list[Any] = [None] * len(acts)
    threads = [Thread(target=_do, args=(act, answers, place), daemon=True) for place, act in enumerate(acts)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [row_id])
        for thread in threads:
            thread.start()
            _wait_for_waiters(cursor, threads.index(thread) + 1)
        between = [] if meanwhile is None else all_at_once(meanwhile)
    _join(threads)
    return [*answers, *between]


def all_at_once(*acts: Act) -> list[Any]:
    """Let every act go at the same time, as it comes; return what each gave or raised."""
    answers: list[Any] = [None] * len(acts)
    threads = [Thread(target=_do, args=(act, answers, place), daemon=True) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    _join(threads)
    return answers


def _join(threads: Sequence[Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "somebody waits for ever"


def _do(act: Act, answers: list[Any], place: int) -> None:
    try:
        answers[place] = act()
    except Exception as error:  # noqa: BLE001 - the test looks at whatever it was
        answers[place] = error
    finally:
        connection.close()


def _wait_for_waiters(cursor: Any, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # otherwise every look in a transaction shows the first one's
        cursor.execute(
            """SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database()"""
        )
        if cursor.fetchone()[0] >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{count} did not come as far as the lock")
