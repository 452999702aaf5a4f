"""Two answers for load balancers and supervisors, without sign-in and without detail."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.connection import Connection
from kombu.exceptions import OperationalError


class Health:
    """Gives these answers whatever host the caller names: a load balancer names an address.

    It stands before what looks at the host; `SECURE_REDIRECT_EXEMPT` keeps them from being moved to HTTPS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Returns the answer to `request`."""
        return ANSWERS.get(request.path, self.get_response)(request)


def alive(_request: HttpRequest) -> HttpResponse:
    """Answers 200 when this process serves requests."""
    return JsonResponse({"status": "alive"})


def ready(_request: HttpRequest) -> HttpResponse:
    """Answers 200 when database and broker answer too, 503 with the name of the part that does not."""
    missing = [name for name, answers in (("database", _database()), ("broker", _broker())) if not answers]
    if missing:
        return JsonResponse({"status": "not ready", "missing": missing}, status=503)
    return JsonResponse({"status": "ready"})


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return False
    return True


def _broker() -> bool:
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (OperationalError, OSError):
        return False
    return True


ANSWERS: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/health/alive": alive, "/health/ready": ready}
