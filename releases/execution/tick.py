"""The tick: what carries everything if every message is lost.

1. Claim the activity runs whose `next_look_at` has come, a batch at a time, skipping what another tick holds; their
   next look is put off, so that the tick after this one leaves them alone.
2. Send a message about each: start what is queued, look at what runs, do what the moment of a waiting one brings.
3. The same for attempts that are to be cancelled, for runs that were kept from opening until now, for people who are to
   be told something, and, unless messages wait in line as it is, for scheduled releases whose start has come.
4. A few at a time, and only while the workers keep up, for what can wait: groups and freezes to be planned further
   ahead, releases that deserve a look before their start.

Each scan goes through an index of just what waits for a moment, so a tick costs what is due, not what exists.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from releases import queue
from releases.execution import rows

BATCH = 500
#: How much of each sort that can wait is sent by one tick: half of what a small machine does in its second.
FEW = 10
#: How long until a look is offered again if nothing came of the message about it.
AGAIN = timedelta(seconds=30)

_DUE = """
    UPDATE releases_activityrun SET next_look_at = %(again)s WHERE id IN (
        SELECT id FROM releases_activityrun WHERE next_look_at <= %(now)s ORDER BY next_look_at LIMIT %(batch)s
           FOR UPDATE SKIP LOCKED)
    RETURNING release_id, id, attempt, state, kind"""
_CANCEL = """
    UPDATE releases_attempt SET cancel_at = %(again)s WHERE id IN (
        SELECT id FROM releases_attempt WHERE cancel_at <= %(now)s AND follow_at IS NULL ORDER BY cancel_at
         LIMIT %(batch)s
           FOR UPDATE SKIP LOCKED)
    RETURNING id"""

_BEGIN = """
    UPDATE releases_release SET next_try_at = %(again)s WHERE id IN (
        SELECT id FROM releases_release WHERE state = 'scheduled' AND next_try_at <= %(now)s ORDER BY next_try_at
         LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id"""
_MOMENT = """
    UPDATE {table} SET {column} = %(again)s WHERE id IN (
        SELECT id FROM {table} WHERE {column} <= %(now)s ORDER BY {column} LIMIT %(batch)s
           FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING {of}"""


def _moment(table: str, column: str, of: str = "id") -> str:
    return _MOMENT.format(table=f"releases_{table}", column=column, of=of)


_BEGIN_SCAN = (_BEGIN, "send_begins")
#: What is found by one column of one table: the statement, and the queue's function that sends what it finds.
_SCANS: tuple[tuple[str, str], ...] = (
    (_CANCEL, "send_cancels"),
    (_moment("phaserun", "held_until", of="release_id"), "send_held"),
    (_moment("activityrun", "held_until", of="release_id"), "send_held"),
    (_moment("activityrun", "tell_at"), "send_tellings"),
    (_moment("notice", "mail_at", of="user_id"), "send_mails"),
)
_LATER: tuple[tuple[str, str], ...] = (
    (_moment("releasegroup", "next_plan_at"), "send_plans"),
    (_moment("freeze", "next_plan_at"), "send_freeze_plans"),
    (_moment("release", "check_at"), "send_checks"),
)


def _send(due: list[tuple[Any, ...]], *, is_behind: bool) -> None:
    """Send what each due run needs; starts are not sent again while their messages may still be waiting in line."""
    starts = [(release, run, attempt) for release, run, attempt, state, _ in due if state == "queued"]
    if starts and not is_behind:
        queue.send_starts(starts)
    running = [row for row in due if row[3] == "running"]
    queue.send_looks([(release, run, attempt) for release, run, attempt, _, kind in running if kind == "automated"])
    moments = [row for row in due if row[3] == "waiting"] + [row for row in running if row[4] != "automated"]
    queue.send_dues([(release, run) for release, run, *_ in moments])


def tick(*, now: datetime) -> int:
    """Send a message about everything that is due; return how many."""
    sent = 0
    parameters = {"now": now, "again": now + AGAIN, "batch": BATCH}
    is_behind = queue.is_behind()
    scans = _SCANS if is_behind else (_BEGIN_SCAN, *_SCANS)
    while True:
        due = rows.fetch(_DUE, parameters)
        _send(due, is_behind=is_behind)
        counts = [len(due), *(_scan(statement, send, parameters) for statement, send in scans)]
        sent += sum(counts)
        if max(counts) < BATCH:
            break
    if not is_behind:
        sent += sum(_scan(statement, send, {**parameters, "batch": FEW}) for statement, send in _LATER)
    return sent


def _scan(statement: str, send: str, parameters: dict[str, Any]) -> int:
    """Claim what one scan finds and send it; return how many rows that were."""
    found = [row[0] for row in rows.fetch(statement, parameters)]
    getattr(queue, send)(list(dict.fromkeys(found)))
    return len(found)
