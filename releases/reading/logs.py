"""What an attempt has written, a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, Value
from django.db.models.functions import Length, Substr

from releases.models import ActivityRun, Attempt, AttemptLog

TAIL = 10_000
MOST = 100_000


@dataclass(slots=True)
class Log:
    """A piece of an attempt's log. `offset` and `size` count characters; ask again from `next_offset` for more.

    `over` says that the attempt has ended, so that nothing will follow once `next_offset` has reached `size`.
    """

    attempt: int
    offset: int
    text: str
    next_offset: int
    size: int
    over: bool


def log_of(run: ActivityRun, *, attempt: int | None = None, offset: int | None = None, limit: int = TAIL) -> Log:
    """Return up to `limit` characters (at most `MOST`) of an attempt's log from `offset`.

    Without an attempt it is the latest; without an offset, or with a negative one, it is the end of the log. An
    attempt that has written nothing, or does not exist, has an empty log.
    """
    number = run.attempt if attempt is None else attempt
    status = Attempt.objects.filter(activity_run=run, number=number).values_list("status", flat=True).first()
    rows = AttemptLog.objects.filter(attempt__activity_run=run, attempt__number=number)
    size = rows.values_list(Length("text"), flat=True).first() or 0
    limit = max(1, min(limit, MOST))
    start = max(0, size - limit) if offset is None or offset < 0 else min(offset, size)
    text = rows.annotate(piece=Substr(F("text"), Value(start + 1), Value(limit))).values_list("piece", flat=True)
    piece = (text.first() or "") if size else ""
    return Log(number, start, piece, start + len(piece), size, status not in (None, "running"))
