"""A database with a past: finished releases, made by plain inserts."""

from __future__ import annotations

from typing import Any

from django.db import connection

PER_RELEASE = 40

_STATEMENTS = (
    """INSERT INTO releases_release (process_id, revision_id, snapshot_id, name, version, description, state, given,
           given_at_start, inputs, sources, values, outputs, started_at, finished_at, created_at, created_by_name,
           started_by_name, reason, edits, findings, told)
       SELECT %(process)s, %(revision)s, %(snapshot)s, 'past', '', '', 'succeeded', '{}', '{}', '{}', '{}', '{}', '{}',
              now() - interval '1 day', now(), now() - interval '1 day', '', '', '', 1, '[]', '[]'
         FROM generate_series(1, %(releases)s)""",
    """INSERT INTO releases_phaserun (release_id, node, items, path, slug, name, owners, state, inputs, sources,
           outputs, error, started_at, finished_at)
       SELECT id, 1 + 6 * p, '', 'p' || p, 'p' || p, 'p' || p, '{}', 'succeeded', '{}', '{}', '{}', '', started_at,
              finished_at FROM releases_release, generate_series(0, 7) p WHERE name = 'past'""",
    """INSERT INTO releases_activityrun (release_id, phase_id, node, items, path, slug, name, kind, required, partial,
           state, attempt, tries, item_count, inputs, sources, changed_inputs, outputs, work, error, reason, opened_at,
           started_at, finished_at)
       SELECT release_id, id, node + a, '', path || '/a' || a, 'a' || a, 'a' || a, 'automated', true, false,
              'succeeded', 1, 1, 0, '{}', '{}', '{}', '{}', '{}', '', '', started_at, started_at, finished_at
         FROM releases_phaserun, generate_series(1, 5) a
        WHERE release_id IN (SELECT id FROM releases_release WHERE name = 'past')""",
    """INSERT INTO releases_attempt (activity_run_id, number, status, inputs, work, outputs, error, reference, link,
           looks, started_at, finished_at)
       SELECT id, 1, 'succeeded', '{}', '{}', '{}', '', '', '', 0, started_at, finished_at FROM releases_activityrun
        WHERE release_id IN (SELECT id FROM releases_release WHERE name = 'past')""",
    """INSERT INTO config_event (at, actor_name, verb, subject_type, subject_id, subject_name, release_id, reason,
           request_id)
       SELECT finished_at, 'pilothouse', 'activity.succeeded', 'activityrun', id, path, release_id, '', ''
         FROM releases_activityrun
        WHERE release_id IN (SELECT id FROM releases_release WHERE name = 'past')""",
)


def fill(revision: Any, snapshot_id: int, activities: int) -> None:
    """Insert about `activities` finished activities with their releases, phases, attempts and one event each."""
    parameters = {
        "process": revision.process_id,
        "revision": revision.pk,
        "snapshot": snapshot_id,
        "releases": activities // PER_RELEASE,
    }
    with connection.cursor() as cursor:
        for statement in _STATEMENTS:
            cursor.execute(statement, parameters)


def analyze() -> None:
    """Let PostgreSQL learn how large its tables are, as it does by itself within a minute."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
