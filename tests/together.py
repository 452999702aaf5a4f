"""Doing several things to a release at the same moment, each on a database connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from django.db import connection, transaction

Act = Callable[[], Any]
PATIENCE = 10.0


def at_once(release_id: int, *acts: Act) -> list[Any]:
    """Let every act come as far as the release's lock, then let all of them go; return what each gave or raised."""
    answers: list[Any] = [None] * len(acts)
    threads = [Thread(target=_do, args=(act, answers, place), daemon=True) for place, act in enumerate(acts)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM releases_release WHERE id = %s FOR UPDATE", [release_id])
        for thread in threads:
            thread.start()
            _wait_for_waiters(cursor, threads.index(thread) + 1)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "somebody waits for ever"
    return answers


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
