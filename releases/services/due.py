"""Starting scheduled releases when their moment has come."""

from __future__ import annotations

from datetime import datetime, timedelta

from config.errors import Conflict, InvalidInput
from config.trail import record
from releases.models import Release
from releases.services.starting import start_release

#: How long until a release that could not start is tried again.
AGAIN = timedelta(minutes=1)


def begin_due(release_id: int, *, now: datetime) -> bool:
    """Start a scheduled release; return whether it did.

    One that cannot start stays scheduled, says why in its trail (once for each reason) and is tried again. One that
    somebody else has started or called off meanwhile is left alone.
    """
    release = Release.objects.select_related("process", "group", "input_set", "revision").get(pk=release_id)
    if release.state != "scheduled":
        return False
    try:
        start_release(None, release, now=now)
    except Conflict:
        return False
    except InvalidInput as error:
        waiting = Release.objects.filter(pk=release_id, state="scheduled")
        if waiting.exclude(reason=error.message).update(reason=error.message):
            record(None, "release.start_refused", release, reason=error.message, release_id=release_id, now=now)
        waiting.update(next_try_at=now + AGAIN)
        return False
    return True
