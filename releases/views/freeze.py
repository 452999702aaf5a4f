"""The list of freezes, and one freeze: its windows, what it stops, exceptions asked for and decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import Conflict, Fault, InvalidInput, NotFound, NotPermitted, PilothouseError
from config.pages import once, page, person, whole
from config.permissions import allowed
from releases import forms, policy
from releases.models import Freeze, FreezeException, Release, ReleaseGroup
from releases.reading import freeze_pages as reading
from releases.reading.freezes import exception_may, visible_exceptions, visible_freezes
from releases.reading.may import may_ask_exception
from releases.services import exempting

PAGE, FIRST = 25, 10
WINDOWS, MORE_WINDOWS = 8, 60
#: How long an exception lasts unless its asker says otherwise.
LASTS = timedelta(days=1)
CHANGE = "releases.change_freeze"
_WORDS = {reading.NOW: "Apply now", reading.COMING: "Coming", reading.PAST: "Over"}


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the freezes that apply, come and are over; one of these alone, PAGE at a time, with `when` (and `from`)."""
    when, now = request.GET.get("when", ""), timezone.now()
    chosen = [when] if when in _WORDS else list(_WORDS)
    most, begin = (PAGE, min(_number(request.GET.get("from", "")), 100_000)) if when in _WORDS else (FIRST, 0)
    sections = [_section(request, one, begin, most, now) for one in chosen]
    user = person(request)
    context = {
        "sections": [one for one in sections if one["rows"]],
        "is_all": when not in _WORDS,
        "is_first": not begin,
        "may_stop": allowed(user, "releases.add_freeze"),
        "may_add": user.is_staff and allowed(user, "releases.add_freeze"),
    }
    return render(request, "releases/freezes.html", context)


@page
@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a freeze: when it applies (`windows=more` for more of that), what it stops, its exceptions.

    `for=release:12` in the address offers to ask for one for this release.
    """
    return _show(request, _found(request, slug))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask that a release, or a group's releases, may start in spite of a freeze, and go back to its page."""
    freeze = _found(request, slug)
    if request.method != "POST":
        return redirect("freezes:show", slug)
    try:
        return redirect(once(request, lambda: _ask(request, freeze)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show(request, freeze, "ask", error)


@page
@require_POST
def decide(request: HttpRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Grant, refuse or withdraw an exception, and go back to its freeze (to Home if `back` says so)."""
    freeze = _found(request, slug)
    exception = get_object_or_404(visible_exceptions(request.user).filter(freeze=freeze), pk=pk)
    if verb not in ("grant", "refuse", "withdraw"):
        raise NotFound("There is no such action.")
    try:
        return redirect(once(request, lambda: _decide(request, exception, verb)))
    except (InvalidInput, NotPermitted, Conflict) as error:
        return _show(request, freeze, f"{verb}-{pk}", error)


def _found(request: HttpRequest, slug: str) -> Freeze:
    return get_object_or_404(visible_freezes(request.user), slug=slug)


def _chosen(request: HttpRequest) -> Release | None:
    """Return the release for which an exception is, or is to be, asked, if this person may."""
    what = request.POST.get("what", "") if request.method == "POST" else request.GET.get("for", "")
    pk = _number(what.removeprefix("release:"))
    releases = policy.visible_releases(request.user).select_related("process", "group")
    release = releases.filter(pk=pk).first() if pk else None
    return release if release is not None and may_ask_exception(request.user, release) else None


def _number(text: str) -> int:
    """Return a number in an address or a form; 0 for anything else."""
    return whole(text, digits=15) or 0


def _section(request: HttpRequest, when: str, begin: int, most: int, now: datetime) -> dict[str, Any]:
    found = list(reading.freezes_when(request.user, when, now=now)[begin : begin + most + 1])
    rows = reading.freeze_rows(request.user, found[:most], when, now=now)
    return {
        "when": when,
        "words": _WORDS[when],
        "rows": rows,
        "next": begin + most if len(found) > most else None,
    }


def _show(request: HttpRequest, freeze: Freeze, verb: str = "", error: PilothouseError | None = None) -> HttpResponse:
    """Answer with the page of a freeze, with what went wrong beside the form that it is about."""
    now, user = timezone.now(), person(request)
    is_long = request.GET.get("windows") == "more"
    most = MORE_WINDOWS if is_long else WINDOWS
    detail = reading.freeze_detail(user, freeze, now=now, windows=most)
    may_change = allowed(user, CHANGE, freeze)
    chosen = _chosen(request)
    context = {
        "freeze": freeze,
        "detail": detail,
        "is_elsewhere": timezone.get_current_timezone_name() != detail.zone,
        "has_more": not is_long and len(detail.upcoming) == most,
        "holds": freeze.body.get("in_flight") == "hold",
        "may_lift": may_change and detail.current is not None,
        "may_edit": may_change and user.is_staff,
        "groups": reading.askable_groups(user).values_list("slug", "name")[: reading.MOST_CHOICES],
        "lasts_until": f"{timezone.localtime(now + LASTS):%Y-%m-%dT%H:%M}",
        "verb": verb or ("ask" if chosen and request.method != "POST" else ""),
        "askable": list(dict.fromkeys([*([chosen] if chosen else []), *detail.stopped, *detail.held])),
        "faults": getattr(error, "faults", [Fault("", error.message)] if error else []),
        "typed": request.POST,
        "chosen_release": chosen.pk if chosen else 0,
        "chosen_group": request.POST.get("what", "").removeprefix("group:"),
    }
    return render(request, "releases/freeze.html", context, status=error.status if error else 200)


def _ask(request: HttpRequest, freeze: Freeze) -> str:
    """Hand a request on. Raises InvalidInput with everything that is wrong with it."""
    data, now, faults = request.POST, timezone.now(), list[Fault]()
    kind, _, chosen = data.get("what", "").replace("\x00", "").partition(":")
    release: Release | None = None
    group: ReleaseGroup | None = None
    if kind == "release":
        releases = policy.visible_releases(request.user).select_related("process", "group")
        release = releases.filter(pk=_number(chosen)).first()
    if kind == "group":
        group = reading.askable_groups(request.user).filter(slug=chosen).first()
    if release is None and group is None:
        faults.append(Fault("what", "Choose a release or a group."))
    expires_at = _moment(data.get("expires_at", ""), faults) or now + LASTS
    reason = data.get("reason", "")
    if not reason.strip():
        faults.append(Fault("reason", "A reason is required.", "Say why, for those who decide."))
    if faults:
        raise InvalidInput(faults)
    exempting.ask_exception(
        person(request), freeze, reason=reason, expires_at=expires_at, now=now, release=release, group=group
    )
    return reverse("freezes:show", args=[freeze.slug])


def _moment(text: str, faults: list[Fault]) -> datetime | None:
    try:
        return forms.moment_of(text) if text.strip() else None
    except (ValueError, OverflowError):
        faults.append(Fault("expires_at", f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00."))
        return None


def _decide(request: HttpRequest, exception: FreezeException, verb: str) -> str:
    if verb not in exception_may(request.user, exception) and exception.state == FreezeException.State.PENDING:
        raise NotPermitted("This is for somebody else to decide.")
    reason, actor, now = request.POST.get("reason", ""), person(request), timezone.now()
    verbs: dict[str, Callable[..., Any]] = {
        "grant": exempting.grant_exception,
        "refuse": exempting.refuse_exception,
        "withdraw": exempting.withdraw_exception,
    }
    verbs[verb](actor, exception, reason=reason, now=now)
    if request.POST.get("back") == "home":
        return reverse("releases:home")
    return reverse("freezes:show", args=[exception.freeze.slug])
