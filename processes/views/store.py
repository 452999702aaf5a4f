"""The Activity Store: which activities there are, one with its inputs and outputs, what changed, who uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from activities.models import Activity
from activities.services import export_activity, is_published, latest_revision, visible_activities
from config.errors import NotFound
from config.pages import page, person
from config.permissions import allowed
from processes import reading
from processes.blueprint import outputs_of
from processes.outline import approvals_of, asks_of, declared_in, facts_of, work_of
from processes.services.ready_made import MAY_LOOK
from processes.views.frame import DRAFT, PAGE, comparison, download, one_page, revision_number, revisions_page, searched

KINDS = {"": "Any kind", "automated": "Automated", "manual": "Manual", "signal": "Signal", "wait": "Wait"}


@page
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the store activities this person may see, PAGE at a time (`after` an id), searched (`q`), of a `kind`."""
    rows, context = searched(request, visible_activities(request.user))
    kind = request.GET.get("kind", "")
    if kind in KINDS and kind:
        rows = rows.filter(kind=kind)
    context |= one_page(reading.activity_overviews(request.user, rows, most=PAGE + 1))
    context |= {"kinds": KINDS.items(), "kind": kind if kind in KINDS else ""}
    context["may_look"] = any(allowed(person(request), permission) for permission in MAY_LOOK)
    context["may_add"] = request.user.is_staff and allowed(person(request), "activities.add_activity")
    name = (
        "processes/store/_list.html" if request.headers.get("HX-Target") == "div#list" else "processes/store/list.html"
    )
    return render(request, name, context)


@page
@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a store activity: the newest revision, or the one chosen (`revision`, a number or `draft`)."""
    activity = _found(request, slug)
    head = _head(request, activity, "activity")
    latest = head["latest"]
    chosen = request.GET.get("revision", "") or (str(latest.number) if latest else DRAFT)
    document = _document(activity, chosen)
    kind = str(document.get("type", activity.kind))
    manual = document.get("manual") or {}
    context = {
        **head,
        "chosen": chosen,
        "revisions": activity.revisions.order_by("-number").values_list("number", flat=True)[:200],
        "document": document,
        "kind": kind,
        "inputs": declared_in(document.get("inputs", {})),
        "outputs": declared_in(outputs_of(document, kind)),
        "facts": (*work_of(document, kind), *facts_of(document)),
        "instructions": manual.get("instructions", ""),
        "asks": asks_of(manual),
        "approvals": approvals_of(manual),
    }
    return render(request, "processes/store/activity.html", context)


@page
@require_safe
def revisions(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the published revisions of a store activity, the newest first."""
    activity = _found(request, slug)
    context = {**_head(request, activity, "revisions"), **revisions_page(request, activity.revisions.all())}
    return render(request, "processes/store/revisions.html", context)


@page
@require_safe
def changes(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what changed from one revision of a store activity, or its draft, to another (`a`, `b`)."""
    activity = _found(request, slug)
    compared = comparison(request, activity.revisions.all(), lambda chosen: _document(activity, chosen))
    return render(request, "processes/store/changes.html", {**_head(request, activity, "changes"), **compared})


@page
@require_safe
def used_by(request: HttpRequest, slug: str) -> HttpResponse:
    """Show which processes use a store activity, and where."""
    activity = _found(request, slug)
    context = {**_head(request, activity, "used_by"), "around": reading.around(request.user, activity)}
    return render(request, "processes/store/used_by.html", context)


@page
@require_safe
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a revision of a store activity (`revision`), or its draft, as a YAML file."""
    activity = _found(request, slug)
    chosen = request.GET.get("revision", DRAFT)
    suffix = "" if chosen == DRAFT else f"-{chosen}"
    return download(_document(activity, chosen), activity.slug + suffix)


def _found(request: HttpRequest, slug: str) -> Activity:
    """A store activity that this person may see. Raises Http404 for any other."""
    return get_object_or_404(visible_activities(request.user), slug=slug)


def _document(activity: Activity, chosen: str) -> Mapping[str, Any]:
    """The document of a revision or of the draft. Raises NotFound."""
    if chosen == DRAFT:
        return export_activity(activity)
    number = revision_number(chosen)
    revision = activity.revisions.filter(number=number).first() if number is not None else None
    if revision is None:
        raise NotFound(f"'{activity.slug}' has no such revision.")
    document: dict[str, Any] = revision.document
    return document


def _head(request: HttpRequest, activity: Activity, tab: str) -> dict[str, Any]:
    """What every page of a store activity shows above its tab."""
    user = person(request)
    return {
        "activity": activity,
        "latest": latest_revision(activity),
        "tab": tab,
        "differs": not is_published(activity),
        "may_edit": user.is_staff and allowed(user, "activities.change_activity", activity),
    }
