"""What is only ever downloaded: evidence files and whole logs. Never shown, whatever they hold."""

from __future__ import annotations

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from config.pages import page
from releases.models import AttemptLog, Evidence
from releases.views.frame import find_activity, find_release


@page
@require_safe
def evidence(request: HttpRequest, pk: int, run_pk: int, evidence_pk: int) -> HttpResponseBase:
    """Send an evidence file as a download."""
    run = find_activity(find_release(request, pk), run_pk)
    file = get_object_or_404(Evidence, pk=evidence_pk, activity_run=run)
    return FileResponse(
        file.file.open("rb"), as_attachment=True, filename=file.name, content_type="application/octet-stream"
    )


@page
@require_safe
def log(request: HttpRequest, pk: int, run_pk: int, number: int) -> HttpResponseBase:
    """Send the whole log of an attempt as a text file."""
    run = find_activity(find_release(request, pk), run_pk)
    found = get_object_or_404(AttemptLog, attempt__activity_run=run, attempt__number=number)
    response = HttpResponse(found.text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.slug}-{number}.log"'
    return response
