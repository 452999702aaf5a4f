"""The statements of the machine's hot path, in SQL: few, by key, and the same number however large a release is."""

# ruff: noqa: S608 - the names put into statements are our own, never anybody's input

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from django.db import connection

from releases.engine import Tally
from releases.tree import Key

#: The PostgreSQL type of every column that the machine writes.
COLUMNS = {
    "id": "bigint",
    "release_id": "bigint",
    "phase_id": "bigint",
    "parent_id": "bigint",
    "node": "int",
    "items": "text",
    "path": "text",
    "slug": "text",
    "required": "bool",
    "opens_at": "timestamptz",
    "state": "text",
    "attempt": "int",
    "tries": "int",
    "partial": "bool",
    "kind": "text",
    "name": "text",
    "item": "jsonb",
    "item_count": "int",
    "inputs": "jsonb",
    "sources": "jsonb",
    "changed_inputs": "jsonb",
    "outputs": "jsonb",
    "owners": "varchar[]",
    "work": "json",
    "error": "text",
    "reason": "text",
    "next_look_at": "timestamptz",
    "deadline_at": "timestamptz",
    "due_at": "timestamptz",
    "held_until": "timestamptz",
    "held_by": "jsonb",
    "tell_at": "timestamptz",
    "opened_at": "timestamptz",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
}

#: Whether any freeze is open at the moment `now`.
IS_FROZEN = """EXISTS (SELECT 1 FROM releases_freezewindow
                    WHERE starts_at <= %(now)s AND (ends_at IS NULL OR ends_at > %(now)s))"""
#: Columns with ids for as many new phase runs and activity runs as `phases` and `activities` say.
NEW_IDS = """
    ARRAY(SELECT nextval(pg_get_serial_sequence('releases_phaserun', 'id'))
            FROM generate_series(1, %(phases)s)),
    ARRAY(SELECT nextval(pg_get_serial_sequence('releases_activityrun', 'id'))
            FROM generate_series(1, %(activities)s))"""

_ACTIVITY_TALLY = """count(*) FILTER (WHERE a.finished_at IS NULL),
           count(*) FILTER (WHERE a.state = 'failed' AND a.required),
           count(*) FILTER (WHERE a.state = 'aborted' OR a.partial OR (a.state = 'ignored' AND a.required)
                                  OR (a.state = 'failed' AND NOT a.required)),
           count(*) FILTER (WHERE a.state = 'aborted' AND a.required AND NOT a.partial)"""
_PHASE_TALLY = """count(*) FILTER (WHERE p.finished_at IS NULL), count(*) FILTER (WHERE p.state = 'failed'),
           count(*) FILTER (WHERE p.state IN ('aborted', 'partially_succeeded')),
           count(*) FILTER (WHERE p.state = 'aborted')"""
_TALLIES = {
    "for_each": f"SELECT {_ACTIVITY_TALLY} FROM releases_activityrun a WHERE a.parent_id = %s",
    "subprocess": f"SELECT {_PHASE_TALLY} FROM releases_phaserun p WHERE p.parent_id = %s",
    "process": f"SELECT {_PHASE_TALLY} FROM releases_phaserun p WHERE p.release_id = %s AND p.parent_id IS NULL",
}
_TALLIES_OF_PHASES = f"""
    SELECT p.id, p.node, p.items, 'tally', false, {_ACTIVITY_TALLY}, false
      FROM releases_phaserun p JOIN releases_activityrun a ON a.phase_id = p.id AND a.parent_id IS NULL
     WHERE p.release_id = %s AND p.node = ANY(%s::int[]) AND p.items = ANY(%s::text[]) GROUP BY p.id"""


class RunRow(NamedTuple):
    """A run as the engine needs it."""

    id: int
    node: int
    items: str
    state: str
    opened: bool
    item_count: int
    attempt: int
    tries: int
    partial: int = 0
    held: bool = False


_ACTIVITY_RUNS = """
    SELECT id, node, items, state, opened_at IS NOT NULL, item_count, attempt, tries, partial::int,
           held_until IS NOT NULL
      FROM releases_activityrun WHERE release_id = %s"""
_PHASE_RUNS = """
    SELECT id, node, items, state, started_at IS NOT NULL, 0, 0, 0, 0, held_until IS NOT NULL
      FROM releases_phaserun WHERE release_id = %s"""
_THESE = " AND node = ANY(%s::int[]) AND items = ANY(%s::text[])"


def execute(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> psycopg.Cursor[Any]:
    """Run a statement on Django's connection as a prepared one: parsed and planned once, not each time."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(sql, params, prepare=True)


def fetch(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return every row of a query."""
    return execute(sql, params).fetchall()


def decoded(document: Any) -> Any:
    """Return the value of a JSON column that a plain statement has read: `jsonb` comes as text, `json` as its value."""
    return json.loads(document) if isinstance(document, str) else document


_FACTS = """
    SELECT id, name, version, planned_start_at, planned_end_at, started_at, started_by_name, started_by_id,
           inputs, values FROM releases_release WHERE id = %s"""
_FACT_NAMES = ("id", "name", "version", "planned_start", "planned_end", "started_at", "started_by", "started_by_id")


def load_facts(release_id: int) -> dict[str, Any]:
    """Return a release's own columns by their names in expressions, with its inputs and given values."""
    *facts, inputs, values = fetch(_FACTS, [release_id])[0]
    return {**dict(zip(_FACT_NAMES, facts, strict=True)), "inputs": decoded(inputs), "values": decoded(values)}


class Loaded(NamedTuple):
    """What was asked of a release: runs, and how the activities of some phases stand."""

    runs: list[RunRow]
    tallies: dict[Key, Tally]


def load(release_id: int, activities: Sequence[Key], phases: Sequence[Key], tallies: Sequence[Key]) -> Loaded:
    """Return at least the named activity and phase runs of a release and the tallies of the named phases.

    One statement. What else has one of the nodes and one of the items comes along, which is rarely anything.
    """
    parts: list[str] = []
    params: list[Any] = []
    for sql, keys in (
        (_ACTIVITY_RUNS + _THESE, activities),
        (_PHASE_RUNS + _THESE, phases),
        (_TALLIES_OF_PHASES, tallies),
    ):
        if keys:
            parts.append(sql)
            params += [release_id, sorted({key.node for key in keys}), sorted({key.items for key in keys})]
    found = [RunRow(*row) for row in fetch(" UNION ALL ".join(parts), params)] if parts else []
    return Loaded(
        [row for row in found if row.state != "tally"],
        {Key(row.node, row.items): Tally(*row[5:9]) for row in found if row.state == "tally"},
    )


def load_activity(release_id: int, run_id: int) -> list[RunRow]:
    """Return the activity run with this id, if the release has it."""
    return [RunRow(*row) for row in fetch(f"{_ACTIVITY_RUNS} AND id = %s", [release_id, run_id])]


def load_phase(release_id: int, run_id: int) -> list[RunRow]:
    """Return the phase run with this id, if the release has it."""
    return [RunRow(*row) for row in fetch(f"{_PHASE_RUNS} AND id = %s", [release_id, run_id])]


def load_all_runs(release_id: int) -> list[RunRow]:
    """Return every run of a release."""
    return [RunRow(*row) for row in fetch(f"{_ACTIVITY_RUNS} UNION ALL {_PHASE_RUNS}", [release_id, release_id])]


def count_items(run_id: int) -> int:
    """Return how many items a `for_each` run has rows for."""
    return int(fetch("SELECT count(*) FROM releases_activityrun WHERE parent_id = %s", [run_id])[0][0])


def load_tally(kind: str, row_id: int) -> Tally:
    """Return how the children of a container other than a phase stand; `row_id` is its own or the release's."""
    found = fetch(_TALLIES[kind], [row_id])
    return Tally(*found[0])


def new_run(made: Mapping[str, Any]) -> RunRow:
    """Return a run that has just been made, by its columns."""
    held = made["held_until"] is not None
    return RunRow(
        made["id"], made["node"], made["items"], "pending", opened=False, item_count=0, attempt=0, tries=0, held=held
    )


def update_runs(table: str, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Write changed columns of many rows, one statement for each set of columns that changed."""
    by_columns: dict[tuple[str, ...], list[int]] = {}
    for row_id, columns in changes.items():
        by_columns.setdefault(tuple(sorted(columns)), []).append(row_id)
    for names, ids in by_columns.items():
        rows = [changes[row_id] for row_id in ids]
        same = {name for name in names if all(row[name] == rows[0][name] for row in rows)}
        _update(table, names, same, ids, rows)


def _update(
    table: str, names: Sequence[str], same: set[str], ids: list[int], rows: Sequence[Mapping[str, Any]]
) -> None:
    differing = [name for name in names if name not in same]
    params: list[Any] = [as_parameter(name, rows[0][name]) for name in names if name in same]
    sets = [f"{name} = %s::{COLUMNS[name]}" for name in names if name in same]
    if not differing:
        execute(f"UPDATE {table} SET {', '.join(sets)} WHERE id = ANY(%s)", [*params, ids])
        return
    sets += [f"{name} = v.{name}::{COLUMNS[name]}" for name in differing]
    arrays = ", ".join(f"%s::{_in_array(name)}[]" for name in differing)
    params += [ids, *([as_parameter(name, row[name]) for row in rows] for name in differing)]
    values = f"unnest(%s::bigint[], {arrays}) v(id, {', '.join(differing)})"
    execute(f"UPDATE {table} t SET {', '.join(sets)} FROM {values} WHERE t.id = v.id", params)


_PENDING = {
    "releases_phaserun": {"state": "'pending'", "inputs": "'{}'", "sources": "'{}'", "outputs": "'{}'", "error": "''"},
    "releases_activityrun": {
        "state": "'pending'", "attempt": "0", "tries": "0", "partial": "false", "item_count": "0", "inputs": "'{}'",
        "sources": "'{}'", "changed_inputs": "'{}'", "outputs": "'{}'", "work": "'{}'", "error": "''", "reason": "''",
    },
}  # fmt: skip


def new_ids(phases: int, activities: int) -> tuple[list[int], list[int]]:
    """Return ids for as many new phase runs and activity runs, in one statement."""
    phase_ids, activity_ids = fetch(f"SELECT {NEW_IDS}", {"phases": phases, "activities": activities})[0]
    return phase_ids, activity_ids


def insert_runs(table: str, made: Sequence[Mapping[str, Any]], changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Insert runs with what has changed of each since it was made, one statement for each set of columns that changed.

    What is made names the same columns in each; the others are a pending run's.
    """
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in made:
        changed = changes.get(row["id"], {})
        by_columns.setdefault(tuple(sorted(changed)), []).append({**row, **changed})
    for rows in by_columns.values():
        _insert(table, rows)


def _insert(table: str, made: Sequence[Mapping[str, Any]]) -> None:
    names = list(made[0])
    fixed = {name: value for name, value in _PENDING[table].items() if name not in made[0]}
    into = f"INSERT INTO {table} ({', '.join([*names, *fixed])}) SELECT"
    if len(made) == 1:
        values = [f"%s::{COLUMNS[name]}" for name in names]
        execute(
            f"{into} {', '.join([*values, *fixed.values()])}", [as_parameter(name, made[0][name]) for name in names]
        )
        return
    values = [f"v.{name}::{COLUMNS[name]}" for name in names]
    arrays = ", ".join(f"%s::{_in_array(name)}[]" for name in names)
    execute(
        f"{into} {', '.join([*values, *fixed.values()])} FROM unnest({arrays}) v({', '.join(names)})",
        [[as_parameter(name, row[name]) for row in made] for name in names],
    )


def _in_array(name: str) -> str:
    return "text" if COLUMNS[name] in ("json", "jsonb", "varchar[]") else COLUMNS[name]


def as_parameter(name: str, value: Any) -> Any:
    """Return `value` as PostgreSQL takes it for column `name`: JSON as text, the rest as it is."""
    if COLUMNS[name] in ("json", "jsonb"):
        return None if value is None else json.dumps(value)
    if COLUMNS[name] == "varchar[]":
        return "{" + ",".join(json.dumps(entry) for entry in value) + "}"
    return value


class EventRow(NamedTuple):
    """An event about a run, as the machine writes it."""

    verb: str
    subject_type: str
    subject_id: int
    subject_name: str
    before: Any
    after: Any
    reason: str


def insert_events(
    events: Sequence[EventRow], *, at: datetime, actor_id: int | None, actor_name: str, release_id: int, request: str
) -> None:
    """Write events of one release in one statement, in their order."""
    told = json.dumps([event._asdict() for event in events])
    execute(
        """INSERT INTO config_event (at, actor_id, actor_name, release_id, request_id, verb, subject_type,
                                     subject_id, subject_name, before, after, reason)
           SELECT %s, %s, %s, %s, %s, verb, subject_type, subject_id, left(subject_name, 500), before, after, reason
             FROM ROWS FROM (json_to_recordset(%s::json) AS (verb text, subject_type text, subject_id bigint,
                             subject_name text, before jsonb, after jsonb, reason text))
                  WITH ORDINALITY AS e(verb, subject_type, subject_id, subject_name, before, after, reason, nth)
            ORDER BY nth""",
        [at, actor_id, actor_name, release_id, request, told],
    )


def insert_attempts(run_ids: Sequence[int], now: datetime) -> None:
    """Write the rows of attempts that start now, from their runs as they have just been written."""
    if run_ids:
        execute(
            """INSERT INTO releases_attempt (activity_run_id, number, status, inputs, work, outputs, error, reference,
                                             link, looks, started_at)
               SELECT id, attempt, 'running', inputs, work, '{}', '', '', '', 0, %s FROM releases_activityrun
                WHERE id = ANY(%s)""",
            [now, list(run_ids)],
        )


@contextmanager
def together() -> Iterator[None]:
    """Send the statements of the block without waiting for the answer to each; an error is raised at its end."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield
