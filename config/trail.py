"""The one way to write an Event (product, section 6): call it inside the transaction that makes the change."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.utils import timezone

from config import hints
from config.models import Event

#: The id of the request being answered, or empty outside of one. Set by the request-id middleware.
request_id: ContextVar[str] = ContextVar("request_id", default="")

#: What the machine is called when nobody pressed a button.
MACHINE = "pilothouse"

Actor = AbstractBaseUser | AnonymousUser | None


def actor_name(actor: Actor) -> str:
    """Return the text under which `actor` goes down in history."""
    return actor.get_username() if actor is not None and actor.is_authenticated else MACHINE


def record(
    actor: Actor,
    verb: str,
    subject: models.Model,
    *,
    before: Any = None,
    after: Any = None,
    reason: str = "",
    release_id: int | None = None,
    now: datetime | None = None,
) -> Event:
    """Write one event about `subject`, have open pages told; `verb` is past tense with a dot (`process.published`)."""
    hints.changed(release_id)
    return Event.objects.create(
        at=now or timezone.now(),
        actor_id=actor.pk if actor is not None and actor.is_authenticated else None,
        actor_name=actor_name(actor),
        verb=verb,
        subject_type=subject._meta.model_name or "",
        subject_id=subject.pk,
        subject_name=str(subject)[:500],
        release_id=release_id,
        before=before,
        after=after,
        reason=reason,
        request_id=request_id.get(),
    )
