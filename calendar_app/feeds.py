"""Secret addresses that calendar programs subscribe to: `/calendar/feeds/<secret>.ics`, without signing in.

An event's UID is `release-<id>` or `freeze-<id>-<start>` at `settings.SITE_ID`: it is the same at whatever address the
site is asked, and for ever. The answer has an entity tag and no Last-Modified: what a feed shows also changes without
an event in the trail, when time passes or permissions do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from calendar_app.ical import Entry, write
from calendar_app.queries import Shown, shown_in
from releases.models import FreezeWindow, Release
from releases.services.feeds import find_feed

_NOT_STARTED = ("draft", "scheduled", "missed", "cancelled")
_STATUSES = {"draft": "TENTATIVE", "cancelled": "CANCELLED", "missed": "CANCELLED"}
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": 'inline; filename="pilothouse.ics"',
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


@require_safe
def show(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Answer with the calendar of the feed that has this secret. Raises Http404 if it is none that works."""
    now = timezone.now()
    feed = find_feed(secret, now=now)
    if feed is None:
        raise Http404("There is no such feed, or it was revoked.")
    body = write(feed.name, entries_of(shown_in(feed, now=now), address=request.build_absolute_uri, now=now))
    tag = quote_etag(hashlib.sha256(body).hexdigest()[:32])
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8", headers={**_HEADERS, "ETag": tag})
    return get_conditional_response(request, etag=tag, response=response) or response


def entries_of(shown: Shown, *, address: Callable[[str], str], now: datetime) -> Iterator[Entry]:
    """Return the events for what is shown; `address` makes a path a whole address."""
    for window in shown.freezes:
        yield _entry_of_freeze(window, now)
    for release in shown.releases:
        yield _entry_of_release(release, address(reverse("releases:show", args=[release.pk])))


def _entry_of_release(release: Release, url: str) -> Entry:
    begins_at, changed_at = vars(release)["begins_at"], vars(release)["changed_at"]
    cadence = release.group.body.get("cadence") if release.group else None
    zone = str((cadence or {}).get("timezone") or "")
    return Entry(
        uid=f"release-{release.pk}@{settings.SITE_ID}.pilothouse",
        summary=str(release),
        starts_at=begins_at,
        ends_at=release.planned_end_at or release.finished_at,
        changed_at=changed_at,
        zone=zone,
        status=_STATUSES.get(release.state, "CONFIRMED"),
        sequence=release.edits,
        category=release.state.replace("_", " ").upper(),
        description="\n".join(_lines(release, zone)),
        url=url,
    )


def _lines(release: Release, zone: str) -> Iterator[str]:
    yield f"State: {release.state.replace('_', ' ')}"
    yield f"Process: {release.process.name}"
    if release.group is not None:
        yield f"Group: {release.group.name}"
    for word, moment in (("Started", release.started_at), ("Finished", release.finished_at)):
        if moment is not None:
            yield f"{word}: {_in_zone(moment, zone)}"
    if release.reason:
        yield f"Reason: {release.reason}"
    stopping = [finding for finding in release.findings if finding.get("stops", True)]
    if stopping and release.state in _NOT_STARTED:
        yield "What would stop it:"
        yield from (f"- {_words(finding)}" for finding in stopping)
    if release.description:
        yield f"\n{release.description}"


def _words(finding: dict[str, Any]) -> str:
    return " ".join(str(part) for part in (finding.get("message"), finding.get("cure")) if part)


def _in_zone(moment: datetime, zone: str) -> str:
    try:
        return f"{moment.astimezone(ZoneInfo(zone or 'UTC')):%Y-%m-%d %H:%M %Z}"
    except (KeyError, ValueError, OSError):
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M %Z}"


def _entry_of_freeze(window: FreezeWindow, now: datetime) -> Entry:
    """Return the event of a time that a freeze applies; without an end it is drawn to the end of today, in UTC."""
    lifted, freeze = window.lifted_at, window.freeze
    ends = [moment for moment in (window.ends_at, lifted) if moment is not None]
    today = datetime.combine(max(now, window.starts_at).astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    never = lifted is not None and lifted <= window.starts_at
    said = [freeze.description] if freeze.description else []
    said += [] if window.ends_at or lifted else ["It lasts until it is lifted."]
    said += [f"Lifted by {window.lifted_by_name or 'Pilothouse'}."] if lifted else []
    return Entry(
        uid=f"freeze-{freeze.pk}-{window.starts_at.astimezone(UTC):%Y%m%dT%H%M%SZ}@{settings.SITE_ID}.pilothouse",
        summary=f"Freeze: {freeze.name}",
        starts_at=window.starts_at,
        ends_at=min(ends, default=today),
        changed_at=vars(window)["changed_at"],
        zone=str((freeze.body.get("window") or {}).get("timezone") or ""),
        status="CANCELLED" if never else "CONFIRMED",
        sequence=freeze.version + (lifted is not None),
        category="FREEZE",
        description="\n".join(said),
    )
