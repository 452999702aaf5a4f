"""Release groups: which there are, when each is due, what is planned and how that is doing; skipping a date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from config.errors import Conflict, Fault, InvalidInput, NotPermitted, PilothouseError
from config.pages import once, page, person
from config.permissions import allowed
from releases.models import ReleaseGroup
from releases.progress import progress_of
from releases.reading import groups as reading
from releases.reading.train_health import health_of
from releases.services import feeds
from releases.services.foreseeing import foresee_skip
from releases.services.moving import skip_occurrence
from releases.views.frame import is_refresh
from releases.views.freezes import banner_of

PAGE = 50
DATES, MORE_DATES = 10, 60
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the groups this person may see, by their ids, PAGE at a time (`after` an id)."""
    after = request.GET.get("after", "")[:64].replace("\x00", "")
    found = list(reading.visible_groups(request.user).filter(slug__gt=after).order_by("slug")[: PAGE + 1])
    shown = found[:PAGE]
    context = {
        **banner_of(request),
        "groups": reading.overviews(request.user, shown),
        "more": shown[-1].slug if len(found) > PAGE else "",
        "is_first": not after,
        "may_add": request.user.is_staff and allowed(person(request), "releases.add_releasegroup"),
        "here": request.get_full_path(),
    }
    return render(request, "releases/_groups.html" if is_refresh(request) else "releases/groups.html", context)


@page
@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a group: its cadence, its next dates (`dates=more` for more of them), its releases."""
    group = find_group(request, slug)
    is_long = request.GET.get("dates") == "more"
    detail = reading.group_detail(request.user, group, now=timezone.now(), dates=MORE_DATES if is_long else DATES)
    released = [*detail.under_way, *(one.release for one in detail.others), *detail.recent]
    progress = progress_of(release.pk for release in released)
    user = person(request)
    may_change = allowed(user, "releases.change_releasegroup", group)
    operates = allowed(user, "releases.operate_releasegroup", group) or allowed(user, "releases.operate_release")
    context = {
        **banner_of(request, group),
        "group": group,
        "detail": detail,
        "under_way": [(release, progress[release.pk]) for release in detail.under_way],
        "recent": [(release, progress[release.pk]) for release in detail.recent],
        "health": health_of(detail.recent),
        "others": [(one, progress[one.release.pk]) for one in detail.others],
        "is_elsewhere": timezone.get_current_timezone_name() != detail.timezone,
        "may_subscribe": feeds.visible_groups(user).filter(pk=group.pk).exists(),
        "has_more": not is_long and len(detail.rows) == DATES,
        "may_change": may_change,
        "may_operate": operates or allowed(user, "processes.operate_process", group.process),
        "may_edit": may_change and user.is_staff,
        "rules": group.body,
        "here": request.get_full_path(),
    }
    return render(request, "releases/_group.html" if is_refresh(request) else "releases/group.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def skip(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what skipping a date (`at`) would do; posted to, skip it."""
    group = find_group(request, slug)
    occurs_at: datetime | None = None
    try:
        occurs_at = at = _moment(request.GET.get("at", ""))
        if request.method != "POST":
            return _show_skip(request, group, at)
        return redirect(once(request, lambda: _skip(request, group, at)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show_skip(request, group, occurs_at, error)


def find_group(request: HttpRequest, slug: str) -> ReleaseGroup:
    """Return a group that this person may see. Raises Http404 for any other."""
    found = reading.visible_groups(request.user).select_related("process", "input_set")
    return get_object_or_404(found, slug=slug)


def _skip(request: HttpRequest, group: ReleaseGroup, occurs_at: datetime) -> str:
    reason = request.POST.get("reason", "")
    skip_occurrence(person(request), group, occurs_at=occurs_at, reason=reason, now=timezone.now())
    return reverse("groups:show", args=[group.slug])


def _show_skip(
    request: HttpRequest, group: ReleaseGroup, occurs_at: datetime | None, error: PilothouseError | None = None
) -> HttpResponse:
    """Answer with what would be skipped, or with what stands in the way of that."""
    release = None
    if occurs_at is not None and error is None:
        release = foresee_skip(person(request), group, occurs_at=occurs_at, now=timezone.now())
    context: dict[str, Any] = {
        "group": group,
        "zone": group.zone,
        "occurs_at": occurs_at,
        "is_possible": occurs_at is not None and (error is None or request.method == "POST"),
        "release": release,
        "faults": getattr(error, "faults", [error] if error else []),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "releases/skip.html", context, status=error.status if error else 200)


def _moment(text: str) -> datetime:
    """Return the moment in an address. Raises InvalidInput when it is none, or is out of all calendars."""
    try:
        moment = datetime.fromisoformat(text)
        at = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = EARLIEST
    if not EARLIEST < at < LATEST:
        raise InvalidInput([Fault("", "This is not a date of the group.", "Choose one of its next dates.")])
    return at
