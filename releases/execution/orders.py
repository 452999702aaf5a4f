"""From the work of an attempt to a runner's order, and from its answers to the attempt's row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Case, F, Value, When
from django.db.models.functions import Concat

from activities import secrets
from activities.runners import Order, Outcome, Runner, runner_for
from config.errors import InvalidInput, RunnerRefused, RunnerUnavailable
from releases.execution import rows
from releases.models import Attempt, AttemptLog

if TYPE_CHECKING:
    from releases.execution.attempts import Claim
    from releases.execution.locked import Locked

#: What an attempt may write into its log, in characters; the runner's own limit is in its settings.
MOST_LOG = 1_000_000
#: Of these, what is kept for the end of the work: the end is what tells why.
KEPT_FOR_THE_END = 200_000
LEFT_OUT = "\n… (something is left out)\n"
#: A link that is longer cannot be kept; the work is found by its reference.
LONGEST_LINK = 1_000


class ConnectionRow(NamedTuple):
    """A connection as an order needs it: `settings` is JSON text, `secret` the name of its secret."""

    provider: str
    settings: str
    enabled: bool
    secret: str | None


_CONNECTION = """
    SELECT c.provider, c.settings, c.enabled, s.name FROM activities_connection c
      LEFT JOIN activities_secret s ON s.id = c.secret_id WHERE c.slug = %s"""


def key_of(run_id: int, attempt: int, started_at: datetime) -> str:
    """Return the idempotency key of an attempt; its moment tells it from one in another or a restored database."""
    return f"{run_id}-{attempt}-{int(started_at.timestamp() * 1_000_000)}"


def prepare(key: str, work: Mapping[str, Any], known: ConnectionRow | None = None) -> tuple[Runner, Order]:
    """Return the runner and the order for the start of an attempt, its secrets revealed.

    `known` is its connection, if it has just been read.
    Raises RunnerRefused when its connection is missing or off, InvalidInput when a secret has no value.
    """
    provider, settings, enabled, secret_name = _connection(work, known)
    if not enabled:
        raise RunnerRefused(f"The connection '{work.get('connection')}' is switched off.")
    revealed: dict[str, str] = {}
    parameters = {name: _as_text(value, revealed) for name, value in work.get("parameters", {}).items()}
    secret = None if secret_name is None else _reveal(secret_name, revealed)
    masks = tuple(revealed.values())
    order = Order(key, settings, work, secret, parameters, masks, work.get("timeout"))
    return runner_for(provider), order


def prepare_look(key: str, work: Mapping[str, Any]) -> tuple[Runner, Order]:
    """Return the runner and the order for looking at an attempt or ending it: of a connection that is off, too.

    Raises RunnerRefused when its connection is gone, RunnerUnavailable while the connection's secret cannot be read.
    """
    provider, settings, _, secret_name = _connection(work)
    try:
        secret = None if secret_name is None else secrets.reveal(secret_name)
    except InvalidInput as error:
        raise RunnerUnavailable(error.message) from error
    return runner_for(provider), Order(key, settings, work, secret, timeout=work.get("timeout"))


def provider_of(connection: str) -> str:
    """Return the provider of a connection, nothing if there is no such connection."""
    found = rows.fetch(_CONNECTION, [connection])
    return str(found[0][0]) if found else ""


def _connection(
    work: Mapping[str, Any], known: ConnectionRow | None = None
) -> tuple[str, dict[str, Any], bool, str | None]:
    found = [known] if known is not None else rows.fetch(_CONNECTION, [work.get("connection", "")])
    if not found:
        raise RunnerRefused(f"There is no connection '{work.get('connection')}'.")
    provider, settings, enabled, secret_name = found[0]
    return provider, rows.decoded(settings), enabled, secret_name


def _as_text(value: Any, revealed: dict[str, str]) -> str:
    if isinstance(value, Mapping) and set(value) == {"secret"}:
        return _reveal(value["secret"], revealed)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _reveal(name: str, revealed: dict[str, str]) -> str:
    if name not in revealed:
        revealed[name] = secrets.reveal(name)
    return revealed[name]


def keep_reference(claimed: Claim, outcome: Outcome, *, now: datetime) -> None:
    """Keep what an attempt that was stopped meanwhile has started, so that it can be cancelled, and have that done."""
    if outcome.reference:
        known = {"reference": outcome.reference, "link": outcome.link[:LONGEST_LINK]}
        attempt = Attempt.objects.filter(activity_run_id=claimed.run_id, number=claimed.attempt, reference="")
        attempt.update(**known, follow_at=Case(When(cancel_at__isnull=False, then=now), default="follow_at"))


def look_at(claimed: Claim, moment: datetime) -> None:
    """Have the follower come back to its attempt at a moment, unless it was woken meanwhile."""
    attempt = Attempt.objects.filter(activity_run_id=claimed.run_id, number=claimed.attempt)
    attempt.filter(follow_at=claimed.lease).update(follow_at=moment)


_OVER = """
    UPDATE releases_attempt SET status = %s, outputs = %s, error = %s, reference = coalesce(nullif(%s, ''), reference),
           link = coalesce(nullif(%s, ''), link), finished_at = %s, looks = looks + 1,
           follow_at = CASE WHEN cancel_at IS NULL THEN NULL ELSE follow_at END,
           progress = coalesce(%s::jsonb, progress)
     WHERE activity_run_id = %s AND number = %s"""


def write_attempt(locked: Locked, claimed: Claim, outcome: Outcome) -> None:
    """Write what is now known of an attempt, its log included."""
    reference = outcome.reference or (outcome.link and claimed.key)
    link = outcome.link if len(outcome.link) <= LONGEST_LINK else ""
    if outcome.is_over:
        outputs = json.dumps(dict(outcome.outputs))
        progress = None if outcome.progress is None else json.dumps(dict(outcome.progress))
        values = [outcome.status, outputs, outcome.error, reference, link, locked.now, progress]
        locked.write_later(_OVER, [*values, claimed.run_id, claimed.attempt])
    else:
        known = {"reference": reference, "link": link} if reference else {}
        attempt = Attempt.objects.filter(activity_run_id=claimed.run_id, number=claimed.attempt)
        attempt.update(**known, error=outcome.error, looks=F("looks") + 1)
        if outcome.progress is not None:
            attempt.filter(follow_at=claimed.lease).update(progress=outcome.progress)
    if outcome.log or (claimed.log_offset is not None and outcome.log_offset > claimed.log_offset):
        _write_log(claimed, outcome)


def _write_log(claimed: Claim, outcome: Outcome) -> None:
    """Keep what is new: of two looks from one offset the first one's; but an end also if lines then stand twice."""
    attempt = Attempt.objects.only("id").get(activity_run_id=claimed.run_id, number=claimed.attempt)
    most = MOST_LOG if outcome.is_over else MOST_LOG - KEPT_FOR_THE_END
    row, made = AttemptLog.objects.get_or_create(
        attempt=attempt, defaults={"text": outcome.log[:most], "offset": outcome.log_offset, "parts": outcome.log_parts}
    )
    is_late = claimed.log_offset not in (None, row.offset)
    if made or (is_late and not outcome.is_over):
        return
    if is_late or row.offset < outcome.log_offset:
        is_full = outcome.is_over and len(row.text) >= MOST_LOG - KEPT_FOR_THE_END
        more = f"{LEFT_OUT}{outcome.log}" if is_full and outcome.log else outcome.log
        AttemptLog.objects.filter(pk=row.pk, offset=row.offset).update(
            text=Concat("text", Value(more[: max(0, most - len(row.text))])),
            offset=max(row.offset, outcome.log_offset),
            parts=outcome.log_parts,
        )
