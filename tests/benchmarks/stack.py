"""A real stack for measuring: embedded servers with a durable disk, a fresh database, and Celery workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import psutil
import redis

from config.embedded import Hold, state


def prepare() -> Hold:
    """Start the servers, set Django up on an empty, migrated database, and register the instant engine."""
    os.environ.setdefault("PILOTHOUSE_STATE", ".pilothouse/bench")
    os.environ["PILOTHOUSE_PROVIDERS"] = "instant=tests.benchmarks.instant.instant_runner"
    os.environ["PILOTHOUSE_OUTBOUND_ALLOW"] = "127.0.0.1"
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["LOG_LEVEL"] = "WARNING"
    hold = Hold(state())
    os.environ["PILOTHOUSE_BENCH_BROKER"] = state().broker_url(5)
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - Django has only now been set up
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    for number in (0, 5):
        redis.Redis(unix_socket_path=str(state().broker_socket), db=number).flushdb()
    return hold


def processor_seconds() -> dict[str, float]:
    """Return the processor time used so far by each kind of process of this stack, and by this driver."""
    spent: dict[str, float] = {"driver": _seconds(psutil.Process())}
    for child in psutil.Process().children(recursive=True):
        command = " ".join(child.cmdline())
        kind = "bare workers" if "tests.benchmarks.bare" in command else "workers"
        if "config.celery" in command or kind == "bare workers":
            spent[kind] = spent.get(kind, 0.0) + _seconds(child)
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if command.split(" ")[0].endswith("postgres") and str(state().path) in command:
            spent["PostgreSQL"] = sum(_seconds(backend) for backend in process.children())
        elif "valkey" in command and str(state().path) in command:
            spent["broker"] = _seconds(process)
    return spent


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def workers(application: str, log: Path, processes: int = 2) -> Iterator[None]:
    """Run Celery workers of an application for the length of the block."""
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING", "-c", str(processes)]
    with log.open("w") as output:
        command = [sys.executable, "-m", "celery", "-A", application, "worker", *options]
        worker = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(30)


def publish(document: dict[str, Any]) -> Any:
    """Store a process and its revision 1; return the revision."""
    from activities.models import Connection  # noqa: PLC0415
    from processes.document import digest  # noqa: PLC0415
    from processes.models import Process, ProcessRevision  # noqa: PLC0415

    Connection.objects.get_or_create(slug="instant", defaults={"name": "Instant", "provider": "instant"})
    process, _ = Process.objects.get_or_create(slug=document["id"], defaults={"name": document["id"]})
    columns = {"document": document, "digest": digest(document), "published_by_name": "bench"}
    defaults = {**columns, "published_at": datetime.now(UTC)}
    return ProcessRevision.objects.get_or_create(process=process, number=1, defaults=defaults)[0]


def start(revision: Any, name: str = "bench") -> int:
    """Create and start one release of a revision; return its id."""
    from releases.models import Release  # noqa: PLC0415
    from releases.services.starting import start_release  # noqa: PLC0415

    now = datetime.now(UTC)
    release = Release.objects.create(process=revision.process, revision=revision, name=name, created_at=now)
    start_release(None, release, now=now)
    return release.pk


def wait_until(predicate: Any, seconds: float) -> None:
    """Wait until `predicate()` is true. Raises TimeoutError."""
    give_up_at = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > give_up_at:
            raise TimeoutError
        time.sleep(0.05)
