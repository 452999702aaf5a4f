"""A database as crowded as a large company's: releases under way, planned and past, and people who may see some."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection

PHASES, PER_PHASE = 8, 5
GROUPS, PROCESSES, TRAINS = 40, 50, 100
#: Of the releases that have started, so many are under way; beside them, so many are planned.
UNDER_WAY, PLANNED = 300, 1000

_PEOPLE = """
    INSERT INTO auth_group (name) SELECT 'crowd-' || n FROM generate_series(0, %(groups)s - 1) n;
    INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
           date_joined)
    SELECT '!', false, 'person-' || n, 'Person', n::text, '', false, true, now() FROM generate_series(1, %(people)s) n;
    INSERT INTO auth_user_groups (user_id, group_id)
    SELECT p.id, g.id FROM auth_user p, auth_group g
     WHERE p.username LIKE 'person-%%' AND g.name LIKE 'crowd-%%'
       AND substr(g.name, 7)::int IN
           (mod(p.id, %(groups)s), mod(p.id * 7 + 1, %(groups)s), mod(p.id * 11 + 2, %(groups)s))"""

_TRAINS = """
    INSERT INTO processes_process (slug, name, description, body, version)
    SELECT 'crowd-' || n, 'Process ' || n, '', '{}', 1 FROM generate_series(1, %(processes)s) n;
    INSERT INTO releases_releasegroup (slug, name, description, color, process_id, body, version)
    SELECT 'train-' || n, 'Train ' || n, '', '', p.id, '{}', 1
      FROM generate_series(1, %(trains)s) n
      JOIN processes_process p ON p.slug = 'crowd-' || (1 + mod(n, %(processes)s))"""

#: n counts from the newest: the first are under way, the others have finished, one every ten minutes.
_RELEASES = """
    INSERT INTO releases_release (process_id, group_id, revision_id, snapshot_id, name, version, description, state,
           given, given_at_start, inputs, sources, values, outputs, planned_start_at, planned_end_at, started_at,
           finished_at, created_at, created_by_name, started_by_name, reason, edits, findings, told)
    SELECT g.process_id, CASE WHEN mod(n, 3) > 0 THEN g.id END, %(revision)s, %(snapshot)s,
           'Release ' || n, '1.' || n, '',
           CASE WHEN n <= %(under_way)s THEN 'running' WHEN mod(n, 9) = 0 THEN 'failed' ELSE 'succeeded' END,
           '{}', '{}', '{}', '{}', '{}', '{}', at, at + interval '1 hour', at,
           CASE WHEN n > %(under_way)s THEN at + interval '40 minutes' END, at, 'person-1', 'person-1', '', 1, '[]',
           '[]'
      FROM generate_series(%(started)s, 1, -1) n
      JOIN releases_releasegroup g ON g.slug = 'train-' || (1 + mod(n, %(trains)s)),
           LATERAL (SELECT now() - n * interval '10 minutes' AS at) begins;
    INSERT INTO releases_release (process_id, group_id, name, version, description, state, given, given_at_start,
           inputs, sources, values, outputs, planned_start_at, planned_end_at, created_at, created_by_name,
           started_by_name, reason, edits, findings, told)
    SELECT g.process_id, g.id, 'Planned ' || n, '2.' || n, '', 'scheduled', '{}', '{}', '{}', '{}', '{}', '{}',
           now() + n * interval '1 hour', now() + (n + 2) * interval '1 hour', now(), 'person-1', '', '', 1,
           CASE WHEN mod(n, 4) = 0 THEN '[{"code": "inputs", "stops": true, "message": "''version'' has no value."}]'
                ELSE '[]' END::jsonb, '[]'
      FROM generate_series(1, %(planned)s) n
      JOIN releases_releasegroup g ON g.slug = 'train-' || (1 + mod(n, %(trains)s))"""

#: Of what is under way, three phases are done and the fourth is open: two asked, one held, one busy, one done.
_RUNS = """
    INSERT INTO releases_phaserun (release_id, node, items, path, slug, name, owners, state, inputs, sources, outputs,
           error, started_at, finished_at)
    SELECT r.id, 1 + (%(per_phase)s + 1) * p, '', 'p' || p, 'p' || p, 'Phase ' || p,
           ARRAY['group:crowd-' || mod(r.id, %(groups)s)],
           CASE WHEN r.state <> 'running' OR p < 3 THEN 'succeeded' WHEN p = 3 THEN 'running' ELSE 'pending' END,
           '{}', '{}', '{}', '', CASE WHEN r.state <> 'running' OR p <= 3 THEN r.started_at END,
           CASE WHEN r.state <> 'running' OR p < 3 THEN r.started_at + interval '5 minutes' * (p + 1) END
      FROM releases_release r, generate_series(0, %(phases)s - 1) p WHERE r.started_at IS NOT NULL;
    INSERT INTO releases_activityrun (release_id, phase_id, node, items, path, slug, name, kind, required, partial,
           state, attempt, tries, item_count, inputs, sources, changed_inputs, outputs, work, error, reason, opened_at,
           started_at, finished_at)
    SELECT f.release_id, f.id, f.node + a, '', f.path || '/a' || a, 'a' || a, 'Activity ' || a,
           CASE WHEN a <= 2 THEN 'manual' ELSE 'automated' END, true, false, s.state, 1, 1, 0, '{}', '{}', '{}', '{}',
           CASE WHEN a <= 2 THEN json_build_object('instructions', 'Look at it.', 'approval', json_build_object('rules',
                json_build_array(json_build_object('count', 1, 'group', owner)))) ELSE '{}' END,
           CASE WHEN s.state = 'on_hold' THEN 'exit status 3' ELSE '' END, '', f.started_at, f.started_at,
           CASE WHEN s.state = 'succeeded' THEN f.started_at + interval '2 minutes' END
      FROM releases_phaserun f, generate_series(1, %(per_phase)s) a,
           LATERAL (SELECT CASE WHEN f.state = 'running' AND a <= 2 THEN 'waiting' WHEN f.state = 'running' AND a = 3
                                THEN 'on_hold' WHEN f.state = 'running' AND a = 4 THEN 'running'
                                WHEN f.state = 'running' THEN 'succeeded' ELSE f.state END AS state,
                           'crowd-' || mod(f.release_id, %(groups)s) AS owner) s;
    INSERT INTO releases_attempt (activity_run_id, number, status, inputs, work, outputs, error, reference, link, looks,
           started_at, finished_at)
    SELECT id, 1, CASE state WHEN 'succeeded' THEN 'succeeded' WHEN 'running' THEN 'running' ELSE 'failed' END, '{}',
           '{}', '{}', '', '', '', 0, started_at,
           CASE WHEN state <> 'running' THEN started_at + interval '2 minutes' END
      FROM releases_activityrun WHERE kind = 'automated' AND state IN ('succeeded', 'running', 'on_hold')"""

_TRAIL = """
    INSERT INTO config_event (at, actor_name, verb, subject_type, subject_id, subject_name, release_id, reason,
           request_id)
    SELECT started_at, 'pilothouse', 'activity.' || state, 'activityrun', id, name, release_id, '', ''
      FROM releases_activityrun WHERE started_at IS NOT NULL ORDER BY started_at, id"""

_RIGHTS = """
    INSERT INTO releases_participant (release_id, group_id)
    SELECT r.id, g.id FROM releases_release r JOIN auth_group g
        ON g.name IN ('crowd-' || mod(r.id, %(groups)s), 'crowd-' || mod(r.id * 3 + 1, %(groups)s))
     WHERE r.started_at IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO releases_releaseuserpermission (permission_id, user_id, content_object_id)
    SELECT (SELECT id FROM auth_permission WHERE codename = 'view_release'), p.id, r.id
      FROM auth_user p JOIN releases_release r ON mod(r.id, 500) = mod(p.id, 500) WHERE p.username LIKE 'person-%%';
    INSERT INTO releases_releasegroupuserpermission (permission_id, user_id, content_object_id)
    SELECT t.id, p.id, g.id FROM auth_permission t, auth_user p JOIN releases_releasegroup g
        ON mod(g.id, %(trains)s) IN (mod(p.id, %(trains)s), mod(p.id * 3 + 1, %(trains)s))
     WHERE t.codename IN ('view_releasegroup', 'operate_releasegroup') AND p.username LIKE 'person-%%';
    INSERT INTO processes_processuserpermission (permission_id, user_id, content_object_id)
    SELECT t.id, p.id, c.id FROM auth_permission t, auth_user p JOIN processes_process c
        ON mod(c.id, %(processes)s) = mod(p.id, %(processes)s)
     WHERE t.codename IN ('view_process', 'start_process') AND p.username LIKE 'person-%%';
    INSERT INTO releases_booking (release_id, what, during)
    SELECT id, 'resource:r-' || mod(id, 200), tstzrange(planned_start_at, planned_end_at) FROM releases_release
     WHERE state IN ('scheduled', 'running')"""


def document() -> dict[str, Any]:
    """Return the process whose snapshot all of these releases have."""
    manual = {"approval": {"rules": [{"group": "crowd-0", "count": 1}]}}
    block = {"connection": "instant", "pipeline": "noop"}
    activities = [
        {"id": f"a{a}", "name": f"Activity {a}", **({"manual": manual} if a <= 2 else {"automated": block})}
        for a in range(1, PER_PHASE + 1)
    ]
    phases = [{"id": f"p{p}", "name": f"Phase {p}", "activities": activities} for p in range(PHASES)]
    return {"kind": "Process", "id": "crowd-1", "name": "Crowd", "phases": phases}


def fill(started: int = 10_000, people: int = 2_000) -> None:
    """Fill an empty database: `started` releases of 40 activities, PLANNED more, and `people` with rights on some."""
    from processes.catalogue import DocumentCatalogue  # noqa: PLC0415 - Django has only now been set up
    from processes.document import digest  # noqa: PLC0415
    from processes.expansion import expand  # noqa: PLC0415
    from processes.models import Process, ProcessRevision  # noqa: PLC0415
    from releases.execution.snapshots import snapshot_of  # noqa: PLC0415

    numbers = {
        "groups": GROUPS, "people": people, "processes": PROCESSES, "trains": TRAINS, "under_way": UNDER_WAY,
        "started": started, "planned": PLANNED, "phases": PHASES, "per_phase": PER_PHASE,
    }  # fmt: skip
    doc = document()
    _run((_PEOPLE, _TRAINS), numbers)
    process = Process.objects.get(slug="crowd-1")
    columns = {"document": doc, "digest": digest(doc), "published_by_name": "bench", "published_at": datetime.now(UTC)}
    revision = ProcessRevision.objects.create(process=process, number=1, **columns)
    snapshot, _ = snapshot_of(expand(doc, 1, DocumentCatalogue([doc])))
    _run((_RELEASES, _RUNS, _TRAIL, _RIGHTS), {**numbers, "revision": revision.pk, "snapshot": snapshot.pk})


def _run(statements: tuple[str, ...], numbers: dict[str, int]) -> None:
    """Run each statement by itself, as PostgreSQL takes only one with parameters; without checking foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in (one for text in statements for one in text.split(";\n")):
            cursor.execute(statement, numbers)
        cursor.execute("RESET session_replication_role")
