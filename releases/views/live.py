"""Who may hear of changes. The answer becomes a stream where the server has streams (see `config.live`)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from config.live.grant import granted
from config.pages import person, whole
from releases import policy

MOST = 100  # topics of one page
EVERYTHING, RELEASE = "releases", "release:"


@require_safe
def topics(request: HttpRequest) -> HttpResponse:
    """Let a person who is signed in hear of `?topics=`: `releases` (that anything changed) and `release:ID`.

    All or nothing: 401 for nobody, 400 for what is no topic, 404 for a release that this person may not see.
    """
    response = _answer(request)
    add_never_cache_headers(response)
    return response


def _answer(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return HttpResponse("Sign in first.", status=401, content_type="text/plain")
    wanted = set(request.GET.get("topics", "").split())
    ids = {name.partition(":")[2] if name.startswith(RELEASE) else "" for name in wanted - {EVERYTHING}}
    if not wanted or len(wanted) > MOST or not all(_is_id(text) for text in ids):
        return HttpResponse("These are no topics.", status=400, content_type="text/plain")
    if policy.visible_releases(request.user).filter(pk__in=map(int, ids)).count() < len(ids):
        return HttpResponse("There is no such release, or you may not see it.", status=404, content_type="text/plain")
    return granted(person(request).pk, wanted)


def _is_id(text: str) -> bool:
    number = whole(text)
    return number is not None and text == str(number)
