"""What the reader was told: the list of their notices, the way to what one is about, and marking them as read."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from config.pages import page, person, whole
from releases.models import Notice
from releases.services.noticing import notices_of, read_notices
from releases.views.frame import is_refresh

PAGE = 50


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show what the reader was told, the newest first, PAGE at a time (`before` an id)."""
    before = whole(request.GET.get("before", ""))
    found = notices_of(person(request))
    if before is not None:
        found = found.filter(pk__lt=before)
    shown = list(found[: PAGE + 1])
    context = {
        "notices": shown[:PAGE],
        "older": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "is_first": before is None,
        "here": request.get_full_path(),
    }
    return render(request, "releases/_notices.html" if is_refresh(request) else "releases/notices.html", context)


@page
@require_safe
def follow(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a notice as read and go to what it is about."""
    mine = notices_of(person(request)).filter(pk=pk)
    notice = get_object_or_404(mine)
    read_notices(person(request), now=timezone.now(), only=Notice.objects.filter(pk=pk))
    return redirect(notice.get_absolute_url())


@page
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark everything as read and go back to the list."""
    read_notices(person(request), now=timezone.now())
    return redirect("notices:list")
