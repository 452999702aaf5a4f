"""The tick: what carries everything if every message is lost.

1. Claim the activity runs whose `next_look_at` has come, a batch at a time, skipping what another tick holds; their
   next look is put off, so that the tick after this one leaves them alone.
2. Send a message about each: start what is queued, look at what runs, do what the moment of a waiting one brings.
3. The same for attempts that are to be cancelled, and for scheduled releases whose start has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from releases import queue
from releases.execution import rows

BATCH = 500
#: How long until a look is offered again if nothing came of the message about it.
AGAIN = timedelta(seconds=30)

_DUE = """
    UPDATE releases_activityrun SET next_look_at = %(again)s WHERE id IN (
        SELECT id FROM releases_activityrun WHERE next_look_at <= %(now)s ORDER BY next_look_at LIMIT %(batch)s
           FOR UPDATE SKIP LOCKED)
    RETURNING release_id, id, attempt, state, kind"""
_CANCEL = """
    UPDATE releases_attempt SET cancel_at = %(again)s WHERE id IN (
        SELECT id FROM releases_attempt WHERE cancel_at <= %(now)s ORDER BY cancel_at LIMIT %(batch)s
           FOR UPDATE SKIP LOCKED)
    RETURNING id"""

_BEGIN = """
    UPDATE releases_release SET next_try_at = %(again)s WHERE id IN (
        SELECT id FROM releases_release WHERE state = 'scheduled' AND next_try_at <= %(now)s ORDER BY next_try_at
         LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    RETURNING id"""


def _send(due: list[tuple[Any, ...]]) -> None:
    """Send what each due run needs; starts are not sent again while their messages may still be waiting in line."""
    starts = [(release, run, attempt) for release, run, attempt, state, _ in due if state == "queued"]
    if starts and not queue.is_behind():
        queue.send_starts(starts)
    running = [row for row in due if row[3] == "running"]
    queue.send_looks([(release, run, attempt) for release, run, attempt, _, kind in running if kind == "automated"])
    moments = [row for row in due if row[3] == "waiting"] + [row for row in running if row[4] != "automated"]
    queue.send_dues([(release, run) for release, run, *_ in moments])


def tick(*, now: datetime) -> int:
    """Send a message about everything that is due; return how many."""
    sent = 0
    parameters = {"now": now, "again": now + AGAIN, "batch": BATCH}
    while True:
        due = rows.fetch(_DUE, parameters)
        _send(due)
        cancels = [row[0] for row in rows.fetch(_CANCEL, parameters)]
        queue.send_cancels(cancels)
        begins = [row[0] for row in rows.fetch(_BEGIN, parameters)]
        queue.send_begins(begins)
        sent += len(due) + len(cancels) + len(begins)
        if max(len(due), len(cancels), len(begins)) < BATCH:
            return sent
