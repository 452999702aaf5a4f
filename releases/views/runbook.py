"""A release on paper: for the wall of the room, and for when this system is down."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from config.pages import page
from releases import reading
from releases.views.frame import find_release
from releases.views.release import head_of


@page
@require_safe
def runbook(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the runbook of a release to be printed; with `?file` as one file that needs nothing else."""
    release = find_release(request, pk)
    context = {
        **head_of(request, release, "runbook"),
        "runbook": reading.runbook_of(release, now=timezone.now()),
        "address": request.build_absolute_uri(),
    }
    if "file" not in request.GET:
        return render(request, "releases/runbook.html", context)
    response = render(request, "releases/runbook_file.html", {**context, "css": _css()})
    name = slugify(f"{release} {release.pk}", allow_unicode=False) or f"release-{release.pk}"
    response["Content-Disposition"] = f'attachment; filename="runbook-{name[:80]}.html"'
    return response


def _css() -> str:
    found = finders.find("pilothouse/runbook.css")
    assert isinstance(found, str)
    return Path(found).read_text("utf-8")
