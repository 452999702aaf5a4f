"""Where people start releases while everything around them crashes: a process of its own, asked line by line.

It makes the tables first. Then it gets `{"document": a process, "count": how many}` and answers with the ids of the
releases, started now, whose messages went to the real broker; or, with `"due_in": seconds`, scheduled for then.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from functools import partial

from django.core.management import call_command
from django.db import close_old_connections
from django.utils import timezone

from activities.models import Connection
from config.beat import ensure_tick
from releases.models import Release
from releases.services import planning
from tests import builders
from tests.system import stops


def main() -> None:
    """Serves until its input ends."""
    call_command("migrate", verbosity=0)
    stops.shorten()
    ensure_tick()
    Connection.objects.get_or_create(slug="local", defaults={"name": "This machine", "provider": "local"})
    answer("ready")
    for line in sys.stdin:
        close_old_connections()
        wanted = json.loads(line)
        text = json.dumps(wanted["document"])
        make = partial(schedule, seconds=wanted["due_in"]) if wanted.get("due_in") else begin
        answer([make(text).pk for _ in range(wanted["count"])])


def begin(text: str) -> Release:
    return builders.start(text, now=timezone.now())


def schedule(text: str, *, seconds: float) -> Release:
    now = timezone.now()
    revision, _ = builders.revision_of(text, now=now)
    release = planning.create_release(
        None,
        process=revision.process,
        revision=revision,
        name="Due",
        planned_start_at=now + timedelta(seconds=seconds),
        now=now,
    )
    return planning.schedule_release(None, release, now=now)


def answer(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()
