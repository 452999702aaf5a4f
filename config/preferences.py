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

#: The kinds of notices that people get, each with when.
NOTICES = {
    "asked": "something waits for me",
    "held": "a failure waits for my decision",
    "overdue": "what waits for me is overdue",
    "mentioned": "somebody mentions me in a comment",
    "stopped": "something stops a release I own from starting",
    "exception": "somebody asks for an exception from a freeze, which I may grant",
    "decided": "an exception that I asked for is granted, refused or void",
}


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all time zones that places have."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name) | {"UTC"}


def preference_of(user: User) -> Preference:
    """Return what `user` has chosen; what everybody has, not stored, if they have chosen nothing."""
    return Preference.objects.filter(user=user).first() or Preference(user=user)


@transaction.atomic
def save_preference(user: User, changes: dict[str, Any], *, now: datetime) -> Preference:
    """Store what a person has chosen and return all of it.

    `zone` is a zone, or empty for the browser's; `unmailed` are kinds of NOTICES. Raises InvalidInput for others.
    """
    faults = [
        Fault("unmailed", f"There is no kind of notice '{kind[:60]}'.", f"Use {', '.join(NOTICES)}.")
        for kind in changes.get("unmailed", ())
        if kind not in NOTICES
    ]
    zone = changes.get("zone", "")
    if zone and zone not in known_zones():
        faults.append(Fault("zone", f"There is no time zone '{zone[:60]}'.", "Write it like Europe/Berlin."))
    if faults:
        raise InvalidInput(faults)
    if "unmailed" in changes:
        changes = {**changes, "unmailed": [kind for kind in NOTICES if kind in changes["unmailed"]]}
    chosen, _ = Preference.objects.select_for_update().get_or_create(user=user)
    before = {name: getattr(chosen, name) for name in changes}
    if before != changes:
        for name, value in changes.items():
            setattr(chosen, name, value)
        chosen.save(update_fields=list(changes))
        record(user, "preference.changed", chosen, before=before, after=changes, now=now)
    return chosen
