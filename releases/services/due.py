"""Starting scheduled releases when their moment has come.

1. One that is past its group's `start_deadline` is missed.
2. One whose group does not start releases by itself waits for a person.
3. Otherwise it starts, unless something stands in its way. Then it stays scheduled, says why in its trail (once for
   each reason) and is tried again: when what stands in its way passes, within LONGEST. Where the group skips, it is
   called off if another of its releases is under way; one that was due before it and has not started comes first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db.models import QuerySet

from config import hints
from config.errors import Conflict, InvalidInput
from config.trail import record
from releases import queue
from releases.models import Release
from releases.services import gates, planning
from releases.services.gates import Stopped
from releases.services.starting import begin_release

log = logging.getLogger(__name__)

#: How long until a release that could not start is tried again.
AGAIN = timedelta(minutes=1)
#: It is tried again after this long at the latest, however long a freeze lasts: whoever lifts the freeze while the
#: start is being refused may not see that it waits.
LONGEST = timedelta(minutes=5)


def begin_all(release_ids: Sequence[int], *, clock: Callable[[], datetime]) -> None:
    """Start scheduled releases one after the other; one that fails badly is logged and keeps no other from starting."""
    with queue.gathering(), hints.gathering():
        for release in _due(release_ids, clock()):
            try:
                _begin(release, now=clock())
            except Exception:
                log.exception("Release %s could not be started; it is tried again.", release.pk)


def begin_due(release_id: int, *, now: datetime) -> bool:
    """Start a scheduled release; return whether it did. One that has moved on meanwhile is left alone."""
    return any(_begin(release, now=now) for release in _due([release_id], now))


def _due(release_ids: Sequence[int], now: datetime) -> QuerySet[Release]:
    found = Release.objects.select_related("process", "group", "input_set").order_by("planned_start_at", "pk")
    return found.filter(pk__in=release_ids, state="scheduled", planned_start_at__lte=now)


def _begin(release: Release, *, now: datetime) -> bool:
    try:
        if gates.is_late(release, now):
            planning.miss_release(release, now=now)
            return False
        if not gates.starts_itself(release):
            unchanged = Release.objects.filter(pk=release.pk, edits=release.edits)
            unchanged.update(next_try_at=gates.deadline_of(release))
            return False
        begin_release(None, release, now=now, given={}, only_due=True)
    except Stopped as stopped:
        _stay(release, stopped, now)
        return False
    except InvalidInput as error:
        _wait(release, error.message, now + AGAIN, now)
        return False
    except Conflict:
        return False
    return True


def _stay(release: Release, stopped: Stopped, now: datetime) -> None:
    if any(finding.skips for finding in stopped.findings):
        with suppress(Conflict):  # somebody has changed it meanwhile
            planning.skip_release(release, reason=stopped.message, now=now)
        return
    passes = [finding.until for finding in stopped.findings]
    known = [until for until in passes if until is not None]
    again = max(known) if len(known) == len(passes) else now + AGAIN
    _wait(release, stopped.message, min(again, now + LONGEST), now)


def _wait(release: Release, reason: str, again: datetime, now: datetime) -> None:
    """Note why a release does not start, and when it is tried again: not after it would be missed."""
    deadline = gates.deadline_of(release)
    if deadline is not None:
        again = min(again, deadline + timedelta(seconds=1))
    waiting = Release.objects.filter(pk=release.pk, state="scheduled", edits=release.edits)
    if waiting.exclude(reason=reason).update(reason=reason):
        record(None, "release.start_refused", release, reason=reason, release_id=release.pk, now=now)
    waiting.update(next_try_at=again)
