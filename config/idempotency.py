"""A POST that carries an `Idempotency-Key` happens once, however often it is sent (product, section 7).

1. The key is locked for its user, for the length of a transaction; if somebody holds it, the same request is being
   answered right now, and this one is refused.
2. If an answer is remembered for the key, it is given again; if it was given to another request, this one is refused.
3. Otherwise the request is answered, and the answer is remembered in the transaction of whatever it has changed: both
   last, or neither. What was refused changes nothing. What failed on our side, or was refused for who asked, is not
   remembered. A view may put a `remembered` body on its response, when the real one must not be kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils import timezone

from config.errors import Conflict, Fault, InvalidInput
from config.models import IdempotencyKey
from config.rest import problems
from config.rest.authentication import caller
from config.rest.bodies import check_upload

PREFIX = "/api/v1/"
LONGEST = 200
KEPT = timedelta(hours=24)
_NOT_REMEMBERED = (401, 403, 429)
_HEADERS = ("ETag", "Location", "Content-Type")


class Idempotency:
    """The middleware; it stands below the one that knows who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to `request`, the remembered one if there is one."""
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST" or not request.path.startswith(PREFIX):
            return self.get_response(request)
        user = caller(request)
        if user is None:
            return self.get_response(request)
        if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
            fault = Fault("Idempotency-Key", f"This is not 1 to {LONGEST} printable characters.")
            return problems.answer(request, InvalidInput([fault]))
        try:
            digest = digest_of(request)
        except problems.TooLarge as error:
            return problems.answer(request, error)
        except (SuspiciousOperation, MultiPartParserError):
            return problems.answer(request, problems.TooLarge("The request is too large, or cannot be read."))
        return self._once(request, user, key, digest)

    def _once(self, request: HttpRequest, user: User, key: str, digest: str) -> HttpResponse:
        with transaction.atomic():
            if not _take(user, key):
                busy = Conflict("A request with this Idempotency-Key is being answered.", code="in_progress")
                return problems.answer(request, busy)
            IdempotencyKey.objects.filter(user=user, created_at__lt=timezone.now() - KEPT).delete()
            known = IdempotencyKey.objects.filter(user=user, key=key).first()
            if known is None:
                return self._first(request, user, key, digest)
            if known.request_digest != digest:
                other = Conflict("This Idempotency-Key was used for another request.", code="idempotency_mismatch")
                return problems.answer(request, other)
            return _again(known)

    def _first(self, request: HttpRequest, user: User, key: str, digest: str) -> HttpResponse:
        with transaction.atomic():
            response = self.get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        if response.status_code < 500 and response.status_code not in _NOT_REMEMBERED:
            IdempotencyKey.objects.create(
                user=user,
                key=key,
                request_digest=digest,
                status=response.status_code,
                body={"headers": _headers(response), "content": _content(response)},
                created_at=timezone.now(),
            )
        return response


def digest_of(request: HttpRequest) -> str:
    """Return what tells one request from another: method, address and body, uploaded files by their contents."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode(errors="replace"))
    if request.content_type != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    check_upload(request.META)
    for name, values in sorted(request.POST.lists()):
        digest.update(json.dumps([name, values]).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(json.dumps([name, file.name]).encode())
            for chunk in file.chunks():
                digest.update(chunk)
            file.seek(0)
    return digest.hexdigest()


def _take(user: User, key: str) -> bool:
    """Whether this transaction now holds the key; another that holds it lets go when it ends."""
    name = hashlib.sha256(f"{user.pk} {key}".encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name, signed=True)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _headers(response: HttpResponse) -> dict[str, str]:
    return {name: response[name] for name in _HEADERS if name in response}


def _content(response: HttpResponse) -> Any:
    if hasattr(response, "remembered"):
        return response.remembered
    return json.loads(response.content) if response.content else None


def _again(known: IdempotencyKey) -> HttpResponse:
    assert known.status is not None
    assert known.body is not None
    headers = {**known.body["headers"], "Idempotency-Replayed": "true"}
    content = known.body["content"]
    return HttpResponse(b"" if content is None else json.dumps(content), status=known.status, headers=headers)
