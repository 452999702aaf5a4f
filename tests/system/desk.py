"""Where people start releases while everything around them crashes: a process of its own, asked line by line.

It makes the tables first. Then it gets `{"document": a process, "count": how many}` and answers with the ids of the
releases, started now, whose messages went to the real broker.
"""

from __future__ import annotations

import json
import sys

from django.core.management import call_command
from django.db import close_old_connections
from django.utils import timezone

from activities.models import Connection
from config.beat import ensure_tick
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
        answer([builders.start(text, now=timezone.now()).pk for _ in range(wanted["count"])])


def answer(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()
