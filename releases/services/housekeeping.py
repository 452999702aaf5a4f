"""Forgetting what nobody needs any more; run hourly by beat."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from activities.providers.local import local_runner
from config.models import IdempotencyKey
from releases.models import Notice

#: An answer to a request with an `Idempotency-Key` is repeated for this long.
KEPT_ANSWERS = timedelta(days=1)
#: What people were told is kept for this long; the trail keeps what it was about.
KEPT_NOTICES = timedelta(days=180)
#: What a local command left behind is kept for this long after it ended.
KEPT_SPOOL = timedelta(days=7)


def clean_up(*, now: datetime) -> None:
    """Delete old idempotency keys, old notices and the folders of local commands that ended long ago."""
    Notice.objects.filter(at__lt=now - KEPT_NOTICES).delete()
    IdempotencyKey.objects.filter(created_at__lt=now - KEPT_ANSWERS).delete()
    if settings.LOCAL_PROVIDER:
        local_runner().forget_older(KEPT_SPOOL.total_seconds(), now.timestamp())
