"""A weekly train for tests of time: Thursdays at nine in Berlin, from 4 June 2026 on, for two days.

It is Monday, 1 June 2026, noon UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from processes.models import Process
from processes.services import apply

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP = """
kind: Process
id: shop
name: Shop
tags: [customer-facing]
inputs: {version: {type: string, default: "1"}}
phases:
  - {id: only, name: Only, activities: [{id: agree, manual: {instructions: Look.}}]}
"""
WEEKLY: dict[str, Any] = {
    "rrule": "FREQ=WEEKLY;BYDAY=TH",
    "start": "2026-06-04T09:00",
    "timezone": "Europe/Berlin",
    "duration": "2d",
}
DOCUMENT: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train",
    "process": "shop",
    "cadence": WEEKLY,
}


def publish_shop() -> Process:
    """Publish the process that the train runs."""
    apply(None, SHOP, now=NOW, publish=True)
    return Process.objects.get()
