"""The road of an automated activity: claim, run, record. Nothing here waits, and nothing is called in a transaction.

1. `claim` commits "attempt n has started", in one statement, if the release runs and the attempt is still queued.
2. The runner is called with the key of run and attempt, outside any transaction; asked twice, it starts nothing twice.
3. `record` takes the answer if state and attempt are still the ones it belongs to; a late or doubled one changes
   nothing. What then becomes ready is sent to the workers, except one that this worker takes along in the same commit.

If a worker dies in between, the run's `next_look_at` comes: `look` asks the runner how the work stands, or starts it
again with the same key if no answer to the start was ever recorded.

An engine that is reached over the network is not called here: a claimed attempt is handed over to the follower
(`releases/follower`), which calls it and records the answer in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from activities import engines
from activities.runners import Order, Outcome, Runner
from config import hints
from config.errors import InvalidInput, RunnerError, RunnerUnavailable
from config.trail import MACHINE
from releases import engine, queue
from releases.execution import asking, following, orders, rows
from releases.execution.advance import advance, look_ahead
from releases.execution.artifacts import record_artifacts
from releases.execution.locked import Locked, Run, lock_release
from releases.execution.opening import RESEND, fail_run
from releases.execution.results import read_outputs
from releases.models import Attempt
from releases.states import SETTLED
from releases.tree import Key

log = logging.getLogger(__name__)

#: How long a claimed attempt may go without an answer to its start before somebody else looks after it.
LEASE = timedelta(seconds=30)
#: How long after its timeout an attempt is ended from here, if its engine has not done so itself.
GRACE = timedelta(seconds=10)
#: A look this soon is sent as a message of its own; a later one is left to the tick.
SOON = 2.0

_CLAIM = """
    WITH r AS (SELECT id, snapshot_id FROM releases_release WHERE id = %(release)s AND state = 'running'
                  FOR NO KEY UPDATE),
         a AS (UPDATE releases_activityrun SET state = 'running', started_at = %(now)s, next_look_at = %(look)s,
                      deadline_at = %(now)s + make_interval(secs => (work->>'timeout')::float) + %(grace)s
                WHERE id = %(run)s AND release_id = (SELECT id FROM r) AND state = 'queued' AND attempt = %(attempt)s
            RETURNING id, path, attempt, inputs, work, node, items),
         t AS (INSERT INTO releases_attempt (activity_run_id, number, status, inputs, outputs, error, reference, link,
                                             looks, started_at, work)
               SELECT id, attempt, 'running', inputs, '{}', '', '', '', 0, %(now)s, work FROM a),
         e AS (INSERT INTO config_event (at, actor_name, verb, subject_type, subject_id, subject_name, release_id,
                                         before, after, reason, request_id)
               SELECT %(now)s, %(machine)s, 'activity.started', 'activityrun', id, left(path, 500), %(release)s,
                      '{"state": "queued"}', jsonb_build_object('state', 'running', 'attempt', attempt), '', '' FROM a)
    SELECT a.node, a.items, a.work, c.provider, c.settings, c.enabled, s.name
      FROM a LEFT JOIN activities_connection c ON c.slug = a.work->>'connection'
      LEFT JOIN activities_secret s ON s.id = c.secret_id"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that this worker has started on: which one, and what is to be done.

    `lease` and `log_offset` are the follower's: until when it has the attempt, and from where the log was asked for.
    """

    release_id: int
    run_id: int
    attempt: int
    run_key: Key
    work: dict[str, Any]
    started_at: datetime
    connection: orders.ConnectionRow | None = None
    lease: datetime | None = None
    log_offset: int | None = None

    @property
    def key(self) -> str:
        """The idempotency key of the attempt."""
        return orders.key_of(self.run_id, self.attempt, self.started_at)


def claim(release_id: int, run_id: int, attempt: int, *, now: datetime) -> Claim | None:
    """Commit that an attempt has started; None if it is not this worker's to start (any more)."""
    parameters = {"release": release_id, "run": run_id, "attempt": attempt, "now": now, "look": now + LEASE}
    found = rows.fetch(_CLAIM, {**parameters, "machine": MACHINE, "grace": GRACE})
    if not found:
        return None
    hints.changed(release_id)
    node, items, work, *connection = found[0]
    known = None if connection[0] is None else orders.ConnectionRow(*connection)
    return Claim(release_id, run_id, attempt, Key(node, items), rows.decoded(work), now, known)


def carry_out_all(starts: Iterable[queue.Start]) -> None:
    """Start attempts one after the other; one that fails badly is logged, and the tick sends it again."""
    for start_of in starts:
        try:
            carry_out(*start_of, go_on=False)
        except Exception:
            log.exception(
                "Attempt %s of release %s could not be started; it is tried again.", start_of[1:], start_of[0]
            )


def carry_out(release_id: int, run_id: int, attempt: int, *, go_on: bool = True) -> None:
    """Start an attempt and record the answer; then go on with what became ready, as long as answers come at once.

    Unless it may `go_on`, others are sent what has become ready.
    """
    claimed = claim(release_id, run_id, attempt, now=timezone.now())
    while claimed is not None:
        if _is_handed_over(claimed):
            return
        outcome = start(claimed)
        claimed = record(claimed, outcome, now=timezone.now(), take_next=go_on and outcome.is_over)


def _is_handed_over(claimed: Claim) -> bool:
    """Leave an attempt to the follower if its engine is reached over the network; return whether it is."""
    slug = claimed.work.get("connection", "")
    provider = claimed.connection.provider if claimed.connection is not None else orders.provider_of(slug)
    if not engines.is_followed(provider):
        return False
    following.hand_over(claimed.run_id, claimed.attempt, slug, now=timezone.now())
    return True


def start(claimed: Claim) -> Outcome:
    """Call the runner; what cannot be asked or is refused becomes an outcome too."""
    prepare = partial(orders.prepare, known=claimed.connection)
    return _ask(claimed, prepare, lambda runner, order: runner.start(order))


def _ask(
    claimed: Claim,
    prepare: Callable[[str, dict[str, Any]], tuple[Runner, Order]],
    call: Callable[[Runner, Order], Outcome],
) -> Outcome:
    try:
        runner, order = prepare(claimed.key, claimed.work)
        return call(runner, order)
    except RunnerUnavailable as error:
        return Outcome("running", error=error.message, look_in=LEASE.total_seconds())
    except (RunnerError, InvalidInput) as error:
        return Outcome("failed", error=error.message)


def look(release_id: int, run_id: int, attempt: int) -> None:
    """Ask the runner how a running attempt stands, enforce its deadline, and record the answer."""
    now = timezone.now()
    found = rows.fetch(
        """SELECT a.node, a.items, a.work, t.started_at, a.deadline_at, t.reference, coalesce(l.offset, 0)
             FROM releases_activityrun a JOIN releases_attempt t ON t.activity_run_id = a.id AND t.number = a.attempt
             LEFT JOIN releases_attemptlog l ON l.attempt_id = t.id
            WHERE a.id = %s AND a.attempt = %s AND a.state = 'running'""",
        [run_id, attempt],
    )
    if not found:
        return
    node, items, work, started_at, deadline, reference, offset = found[0]
    claimed = Claim(release_id, run_id, attempt, Key(node, items), rows.decoded(work), started_at)
    if _is_handed_over(claimed):
        return
    if not reference and (deadline is None or now < deadline):
        outcome = start(claimed)
    else:
        outcome = _ask(claimed, orders.prepare_look, lambda runner, order: runner.look(order, reference, offset))
        if deadline is not None and now >= deadline and not outcome.is_over:
            outcome = _time_out(claimed, reference, outcome)
    record(claimed, outcome, now=timezone.now(), take_next=False)


def _time_out(claimed: Claim, reference: str, last: Outcome) -> Outcome:
    error = "It took longer than its timeout."
    try:
        cancel(claimed.key, claimed.work, reference)
    except (RunnerError, InvalidInput) as refusal:
        error = f"{error} Its engine has not been told: {refusal.message}"
        Attempt.objects.filter(activity_run_id=claimed.run_id, number=claimed.attempt).update(cancel_at=timezone.now())
    return Outcome("timed_out", reference, last.link, error=error, log=last.log, log_offset=last.log_offset)


def cancel(key: str, work: dict[str, Any], reference: str) -> None:
    """Ask the runner to end an attempt. Raises RunnerUnavailable if it should be asked again."""
    runner, order = orders.prepare_look(key, work)
    runner.cancel(order, reference)


def cancel_attempt(attempt_id: int, *, now: datetime) -> None:
    """End an attempt whose activity was aborted or restarted; if its runner cannot be reached the tick asks again."""
    attempt = Attempt.objects.select_related("activity_run").filter(pk=attempt_id, cancel_at__isnull=False).first()
    if attempt is None:
        return
    key = orders.key_of(attempt.activity_run_id, attempt.number, attempt.started_at)
    error = "Cancelled, since its activity was stopped."
    try:
        cancel(key, attempt.work, attempt.reference)
    except RunnerUnavailable:
        return
    except (RunnerError, InvalidInput) as refusal:
        error = f"It could not be cancelled: {refusal.message}"
    end_cancelled(attempt_id, error, release_id=attempt.activity_run.release_id, now=now)


def end_cancelled(attempt_id: int, error: str, *, release_id: int, now: datetime) -> None:
    """Write that an attempt has been cancelled; one that was over before keeps its end."""
    over = {"status": "cancelled", "error": error, "finished_at": now}
    Attempt.objects.filter(pk=attempt_id, status="running").update(**over)
    Attempt.objects.filter(pk=attempt_id).update(cancel_at=None, follow_at=None)
    hints.changed(release_id)


def record(claimed: Claim, outcome: Outcome, *, now: datetime, take_next: bool = False) -> Claim | None:
    """Write down an answer and let everything follow; return what this worker goes on with, if it may.

    An answer whose attempt is no longer the running one changes nothing.
    """
    with lock_release(claimed.release_id, now=now) as locked:
        look_ahead(locked, claimed.run_key)
        run = locked.runs[claimed.run_key]
        if run.state != "running" or run.attempt != claimed.attempt:
            if claimed.lease is not None:
                orders.keep_reference(claimed, outcome, now=now)
            return None
        orders.write_attempt(locked, claimed, outcome)
        if not outcome.is_over:
            _look_again(locked, run, claimed, outcome)
            return None
        _settle(locked, run, outcome)
        advance(locked, [run.key])
        return _take(locked, claimed) if take_next else None


def _look_again(locked: Locked, run: Run, claimed: Claim, outcome: Outcome) -> None:
    wait = outcome.look_in if outcome.look_in is not None else LEASE.total_seconds()
    if claimed.lease is not None:
        orders.look_at(claimed, locked.now + timedelta(seconds=wait))
        return
    soon = wait <= SOON and bool(outcome.reference)
    locked.change(run, next_look_at=locked.now + timedelta(seconds=wait + (LEASE.total_seconds() if soon else 0)))
    if soon:
        send = partial(queue.send_look, claimed.release_id, claimed.run_id, claimed.attempt, wait)
        transaction.on_commit(send)


def _settle(locked: Locked, run: Run, outcome: Outcome) -> None:
    """Bring the run to what the outcome of its attempt means: success, another try, or failure."""
    if outcome.status == "succeeded":
        outputs, faults = read_outputs(run.node.doc["outputs"], outcome.outputs)
        if not faults:
            locked.move(run, "succeeded", outputs=outputs)
            record_artifacts(locked, run)
            return
        outcome = Outcome("failed", error="; ".join(str(fault) for fault in faults))
    error = outcome.error or f"The attempt {outcome.status.replace('_', ' ')}."
    delay = engine.retry_delay(run.node.doc["retry"], run.tries)
    if delay is None:
        fail_run(locked, run, error)
        return
    due = locked.now + timedelta(seconds=delay)
    columns: dict[str, Any] = {"attempt": run.attempt + 1, "tries": run.tries + 1, "error": error}
    locked.move(run, "queued", reason=error, next_look_at=due if delay else locked.now + RESEND, **columns)
    if not delay:
        locked.to_start.append(run)


def _take(locked: Locked, last: Claim) -> Claim | None:
    """Start the first activity that has become ready in the same commit, instead of sending a message about it."""
    run = next((run for run in locked.to_start if "work" in locked.pending(run)), None)
    if run is None or locked.state != "running":
        return None
    locked.to_start.remove(run)
    work = locked.pending(run)["work"]
    limit = work.get("timeout")
    deadline = None if limit is None else locked.now + timedelta(seconds=limit) + GRACE
    locked.move(run, "running", started_at=locked.now, next_look_at=locked.now + LEASE, deadline_at=deadline)
    locked.begin_attempt(run)
    known = last.connection if work.get("connection") == last.work.get("connection") else None
    return Claim(locked.id, run.id, run.attempt, run.key, work, locked.now, known)


def due(release_id: int, run_id: int, *, now: datetime) -> None:
    """Do what the moment of a run brings: a wait is over, a sign-off expires, or someone or a container is too late."""
    with lock_release(release_id, now=now) as locked:
        run = locked.load_activity(run_id)
        if run is None or not (run.state == "waiting" or (run.state == "running" and run.node.is_container)):
            return
        before = run.state
        _due(locked, run)
        if run.state != before:
            advance(locked, [run.key])


def _due(locked: Locked, run: Run) -> None:
    deadline, work = rows.fetch("SELECT deadline_at, work FROM releases_activityrun WHERE id = %s", [run.id])[0]
    work = rows.decoded(work)
    if run.node.is_container:
        if deadline is not None and deadline <= locked.now:
            _stop_inside(locked, run)
            fail_run(locked, run, "It took longer than its timeout.")
    elif run.node.kind == "wait" and datetime.fromisoformat(work["until"]) <= locked.now:
        locked.move(run, "succeeded")
    elif deadline is not None and deadline <= locked.now:
        fail_run(locked, run, "Nobody acted before its timeout.")
    elif run.node.kind == "manual":
        asking.expire(locked, run, work)


def _stop_inside(locked: Locked, container: Run) -> None:
    """Stop whatever a container holds and has not settled; pipelines under way are cancelled."""
    locked.load_all()
    for key in engine.family(locked.tree, locked.known(), container.key):
        run = locked.runs[key]
        if run.state in SETTLED:
            continue
        if run.node.kind == "automated" and run.state == "running":
            locked.to_cancel.append(run)
        locked.move(run, "aborted", reason="what holds it timed out")
