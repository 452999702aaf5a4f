"""What a person has chosen for themselves."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from config.errors import Fault, InvalidInput
from config.models import Preference
from config.trail import record


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all time zones that places have."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name) | {"UTC"}


def preference_of(user: User) -> Preference:
    """Return what `user` has chosen; what everybody has, not stored, if they have chosen nothing."""
    return Preference.objects.filter(user=user).first() or Preference(user=user)


@transaction.atomic
def save_preference(user: User, changes: dict[str, Any], *, now: datetime) -> Preference:
    """Store what a person has chosen (`zone`: a zone, or empty for the browser's) and return all of it.

    Raises InvalidInput for a zone that does not exist.
    """
    zone = changes.get("zone", "")
    if zone and zone not in known_zones():
        raise InvalidInput([Fault("zone", f"There is no time zone '{zone[:60]}'.", "Write it like Europe/Berlin.")])
    chosen, _ = Preference.objects.select_for_update().get_or_create(user=user)
    before = {name: getattr(chosen, name) for name in changes}
    if before != changes:
        for name, value in changes.items():
            setattr(chosen, name, value)
        chosen.save(update_fields=list(changes))
        record(user, "preference.changed", chosen, before=before, after=changes, now=now)
    return chosen
