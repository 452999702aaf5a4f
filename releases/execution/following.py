"""What the follower asks of the database: attempts at engines that are reached over the network.

An attempt whose `follow_at` is set is the follower's: it is started, looked at or cancelled when that moment comes, and
no worker touches it. Whoever takes it puts `follow_at` off by a lease first, in the same statement, so that it is taken
once; whoever dies with it leaves it to be taken again when the lease runs out. No release is locked for any of this: a
look that ends nothing costs one row of one batched statement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from config import hints
from releases.execution import rows

_HAND_OVER = """
    WITH r AS (UPDATE releases_activityrun SET next_look_at = NULL
                WHERE id = %(run)s AND attempt = %(attempt)s AND state = 'running' RETURNING id, attempt)
    UPDATE releases_attempt t SET follow_at = %(now)s, connection = %(connection)s FROM r
     WHERE t.activity_run_id = r.id AND t.number = r.attempt AND t.follow_at IS NULL RETURNING t.id"""
_HAND_BACK = """
    WITH t AS (UPDATE releases_attempt SET follow_at = NULL WHERE id = %(attempt)s RETURNING activity_run_id, number)
    UPDATE releases_activityrun r SET next_look_at = %(now)s FROM t
     WHERE r.id = t.activity_run_id AND r.attempt = t.number AND r.state = 'running'"""
_LINES = """
    WITH RECURSIVE c(slug) AS (
        (SELECT connection FROM releases_attempt WHERE follow_at IS NOT NULL ORDER BY connection LIMIT 1)
        UNION ALL
        SELECT (SELECT a.connection FROM releases_attempt a WHERE a.follow_at IS NOT NULL AND a.connection > c.slug
                 ORDER BY a.connection LIMIT 1) FROM c WHERE c.slug IS NOT NULL)
    SELECT c.slug, coalesce(o.provider, ''), coalesce(o.settings, '{}'), coalesce(o.enabled, false),
           coalesce(o.limits, '{}'), s.name
      FROM c LEFT JOIN activities_connection o ON o.slug = c.slug LEFT JOIN activities_secret s ON s.id = o.secret_id
     WHERE EXISTS (SELECT 1 FROM releases_attempt a WHERE a.connection = c.slug AND a.follow_at <= %(now)s)"""
_TAKING = """
         t AS (UPDATE releases_attempt t SET follow_at = %(lease)s, looks = looks + (reference = '')::int
                 FROM due WHERE t.id = due.id
            RETURNING t.id, t.activity_run_id, t.number, t.connection, t.work, t.started_at, t.status, t.reference,
                      t.error, t.looks, t.cancel_at, t.progress)
    SELECT t.id, r.release_id, r.id, t.number, t.connection, t.work, t.started_at, t.reference, t.error,
           t.reference = '' AND t.looks > 1, t.cancel_at IS NOT NULL, t.status = 'running',
           r.state = 'running' AND r.attempt = t.number, r.node, r.items, r.deadline_at,
           coalesce(l.offset, 0), coalesce(l.parts, ''), t.progress
      FROM t JOIN releases_activityrun r ON r.id = t.activity_run_id
      LEFT JOIN releases_attemptlog l ON l.attempt_id = t.id"""
_TAKE = """
    WITH due AS (
        SELECT d.id FROM unnest(%(slugs)s::text[], %(rooms)s::int[]) room(slug, room) CROSS JOIN LATERAL (
               SELECT a.id FROM releases_attempt a WHERE a.connection = room.slug AND a.follow_at <= %(now)s
                ORDER BY a.follow_at LIMIT room.room FOR NO KEY UPDATE SKIP LOCKED) d),"""
_TAKE_LATE = """
    WITH due AS (
        SELECT a.id FROM releases_attempt a JOIN releases_activityrun r ON r.id = a.activity_run_id
         WHERE a.connection = ANY(%(slugs)s) AND a.follow_at <= %(now)s AND a.status = 'running'
           AND r.deadline_at <= %(now)s AND r.state = 'running' AND r.attempt = a.number
         ORDER BY a.follow_at LIMIT %(most)s FOR NO KEY UPDATE OF a SKIP LOCKED),"""
_NOTE = """
    UPDATE releases_attempt t
       SET follow_at = CASE WHEN t.cancel_at IS NOT NULL THEN %(now)s WHEN t.follow_at = v.lease THEN v.at
                            ELSE t.follow_at END,
           reference = coalesce(nullif(v.reference, ''), t.reference), link = coalesce(nullif(v.link, ''), t.link),
           error = v.error, looks = t.looks + 1, progress = coalesce(v.progress::jsonb, t.progress)
      FROM (SELECT v.* FROM unnest(%(ids)s::bigint[], %(leases)s::timestamptz[], %(ats)s::timestamptz[],
                                   %(references)s::text[], %(links)s::text[], %(errors)s::text[],
                                   %(progresses)s::text[]) v(id, lease, at, reference, link, error, progress)
              JOIN releases_attempt a ON a.id = v.id AND a.status = 'running' AND a.follow_at IS NOT NULL
                                     AND (a.follow_at = v.lease OR a.reference = '')
               FOR NO KEY UPDATE OF a{waiting}) v
     WHERE t.id = v.id RETURNING t.id"""
_NOTE_MANY, _NOTE_ONE = _NOTE.format(waiting=" SKIP LOCKED"), _NOTE.format(waiting="")
_LEAVE = "UPDATE releases_attempt SET follow_at = NULL WHERE id = %(attempt)s AND follow_at = %(lease)s"
_PUT_OFF = "UPDATE releases_attempt SET follow_at = %(until)s WHERE id = %(attempt)s AND follow_at = %(lease)s"
_WAKE = """
    UPDATE releases_attempt SET follow_at = %(now)s
     WHERE connection = %(connection)s AND follow_at > %(now)s AND reference <> ''
       AND (reference = ANY(%(references)s) OR (activity_run_id, number) IN (
            SELECT * FROM unnest(%(runs)s::bigint[], %(numbers)s::int[])))
    RETURNING id"""
_WAKE_WAITING = """
    UPDATE releases_attempt t SET follow_at = %(now)s FROM activities_connection c
     WHERE c.provider = 'pilothouse' AND NOT c.settings ? 'url' AND t.connection = c.slug AND t.follow_at > %(now)s
       AND t.status = 'running' AND t.reference = ANY(%(releases)s)
    RETURNING t.id"""
_CANCEL_LATER = """
    UPDATE releases_attempt SET cancel_at = %(now)s, follow_at = %(now)s + make_interval(secs => %(seconds)s)
     WHERE id = %(attempt)s AND status = 'timed_out'"""
_KEY = re.compile(r"([1-9]\d{0,17})-([1-9]\d{0,8})-\d{1,20}")


class Line(NamedTuple):
    """A connection that has something due; without a provider if there is no such connection any more."""

    slug: str
    provider: str
    settings: dict[str, Any]
    enabled: bool
    limits: dict[str, float]
    secret: str | None


class Taken(NamedTuple):
    """An attempt that is the caller's until `lease`."""

    id: int
    release_id: int
    run_id: int
    number: int
    connection: str
    work: dict[str, Any]
    started_at: datetime
    reference: str
    error: str
    again: bool
    is_cancelled: bool
    is_open: bool
    is_current: bool
    node: int
    items: str
    deadline_at: datetime | None
    log_offset: int
    log_parts: str
    progress: dict[str, Any] | None
    lease: datetime


class Look(NamedTuple):
    """What a look at an attempt that goes on has found, and when the next one is due."""

    id: int
    release_id: int
    lease: datetime
    at: datetime
    reference: str = ""
    link: str = ""
    error: str = ""
    progress: str | None = None
    is_news: bool = False


def hand_over(run_id: int, attempt: int, connection: str, *, now: datetime) -> None:
    """Make a claimed attempt the follower's, unless it is already, and wake it."""
    rows.execute(_HAND_OVER, {"run": run_id, "attempt": attempt, "connection": connection, "now": now})
    hints.follow()


def hand_back(attempt_id: int, *, now: datetime) -> None:
    """Leave an attempt to the workers: its connection has another provider now."""
    rows.execute(_HAND_BACK, {"attempt": attempt_id, "now": now})


def lines(*, now: datetime) -> list[Line]:
    """Return the connections that have something due, each with what it is now."""
    found = rows.fetch(_LINES, {"now": now})
    return [
        Line(slug, provider, rows.decoded(settings), enabled, rows.decoded(limits), secret)
        for slug, provider, settings, enabled, limits, secret in found
    ]


def take(rooms: Mapping[str, int], *, now: datetime, lease: datetime) -> list[Taken]:
    """Take what is due, of each connection at most as much as there is room for; what others hold is left out."""
    slugs = sorted(rooms)
    parameters = {"slugs": slugs, "rooms": [rooms[slug] for slug in slugs], "now": now, "lease": lease}
    return _taken(_TAKE, parameters)


def take_late(slugs: Sequence[str], *, now: datetime, lease: datetime, most: int = 200) -> list[Taken]:
    """Take attempts of connections that are left alone, if they have passed their timeouts."""
    return _taken(_TAKE_LATE, {"slugs": list(slugs), "now": now, "lease": lease, "most": most})


def _taken(which: str, parameters: Mapping[str, Any]) -> list[Taken]:
    found, lease = rows.fetch(which + _TAKING, parameters), parameters["lease"]
    return [Taken._make([*row[:5], rows.decoded(row[5]), *row[6:-1], rows.decoded(row[-1]), lease]) for row in found]


def note(looked: Sequence[Look], *, now: datetime) -> None:
    """Write what looks have found that changes no state: one statement, however many they are.

    An attempt that was woken meanwhile stays awake, and one that is to be cancelled is awake as soon as it has a name
    there. A row that somebody else holds just now is waited for by itself, and only if there is news of it.
    """
    if not looked:
        return
    written = {row[0] for row in rows.fetch(_NOTE_MANY, _note(looked, now))}
    for look in looked:
        if look.is_news and look.id not in written:
            rows.execute(_NOTE_ONE, _note([look], now))
    with transaction.atomic():
        for release_id in {look.release_id for look in looked if look.is_news}:
            hints.changed(release_id)


def _note(looked: Sequence[Look], now: datetime) -> dict[str, Any]:
    names = ("ids", "leases", "ats", "references", "links", "errors", "progresses")
    told = ((one.id, one.lease, one.at, one.reference, one.link, one.error, one.progress) for one in looked)
    columns = zip(*told, strict=True)
    return {"now": now, **{name: list(column) for name, column in zip(names, columns, strict=True)}}


def leave(attempt_id: int, *, lease: datetime) -> None:
    """Never come back to an attempt that is over."""
    rows.execute(_LEAVE, {"attempt": attempt_id, "lease": lease})


def put_off(attempt_id: int, *, lease: datetime, until: datetime) -> None:
    """Come back to an attempt at a moment, unless it was woken meanwhile."""
    rows.execute(_PUT_OFF, {"attempt": attempt_id, "lease": lease, "until": until})


def cancel_later(attempt_id: int, *, now: datetime, seconds: float) -> None:
    """Have an attempt that has timed out ended at its engine, which could not be told."""
    rows.execute(_CANCEL_LATER, {"attempt": attempt_id, "now": now, "seconds": seconds})


def wake(connection: str, names: Collection[str], *, now: datetime) -> int:
    """Have attempts looked at now, by their references or keys; return how many. One that is being started is not."""
    keys = [key.groups() for name in names if (key := _KEY.fullmatch(name))]
    parameters = {
        "connection": connection,
        "references": list(names),
        "runs": [int(run) for run, _ in keys],
        "numbers": [int(number) for _, number in keys],
        "now": now,
    }
    found = rows.fetch(_WAKE, parameters)
    if found:
        hints.follow()
    return len(found)


def wake_waiting(releases: Collection[int], *, now: datetime) -> int:
    """Have attempts looked at now that wait for one of these releases of this installation; return how many."""
    return len(rows.fetch(_WAKE_WAITING, {"releases": [str(one) for one in releases], "now": now}))
