"""A freeze's windows as rows: the times it really applies, so that asking what is open is one indexed query.

1. A one-off freeze has one window; a recurring one has its windows up to `HORIZON` ahead, and the tick adds more.
2. What is over stays as it was, and so does a window that somebody has lifted, whatever the document then says.
3. A window that is open while the document changes takes its new end; if the document does not know it any more, it
   ends now. Windows to come are those of the document.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from releases import cadence
from releases.models import Freeze, FreezeWindow

HORIZON = timedelta(days=400)
#: How often the windows of a recurring freeze are planned further ahead.
AGAIN = timedelta(days=30)
#: No one-off window starts after this: documents are checked for it.
FAR = datetime(2201, 1, 2, tzinfo=UTC)


def plan_windows(freeze: Freeze, *, now: datetime) -> None:
    """Make the windows what the freeze's document says, from now on. The caller has locked the freeze's row."""
    window = freeze.body["window"]
    recurs = "rrule" in window
    until = now + HORIZON if recurs else FAR
    spans = cadence.windows(window, after=now, before=until)
    _make(freeze, {span.starts_at: span.ends_at for span in spans}, now)
    freeze.planned_until = until if recurs else None
    freeze.next_plan_at = now + AGAIN if recurs else None
    freeze.save(update_fields=["planned_until", "next_plan_at"])


@transaction.atomic
def plan_freeze(freeze_id: int, *, now: datetime) -> None:
    """Plan the windows of a freeze further ahead, as the tick asks for; nothing if it is gone."""
    freeze = Freeze.objects.select_for_update(no_key=True).filter(pk=freeze_id).first()
    if freeze is not None:
        plan_windows(freeze, now=now)


def _make(freeze: Freeze, spans: dict[datetime, datetime | None], now: datetime) -> None:
    lasting = Q(ends_at=None) | Q(ends_at__gt=now)
    rows = {row.starts_at: row for row in freeze.windows.filter(lasting | Q(starts_at__in=spans))}
    fresh = [FreezeWindow(freeze=freeze, starts_at=at, ends_at=end) for at, end in spans.items() if at not in rows]
    gone = [row.pk for at, row in rows.items() if at not in spans and at > now]
    moved = []
    for at, row in rows.items():
        end = spans.get(at, now)
        if (at in spans or at <= now) and row.lifted_at is None and row.ends_at != end:
            row.ends_at = end
            moved.append(row)
    FreezeWindow.objects.filter(pk__in=gone).delete()
    FreezeWindow.objects.bulk_update(moved, ["ends_at"])
    FreezeWindow.objects.bulk_create(fresh)
