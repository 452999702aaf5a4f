"""When something should be over (product, section 4): it orders and marks what people see, and changes no state."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def is_overdue(due_at: datetime | None, over_at: datetime | None, now: datetime | None = None) -> bool:
    """Return whether something that is not over (it has no `over_at`) should have been, by `now` or the clock."""
    return due_at is not None and over_at is None and due_at < (now or timezone.now())
