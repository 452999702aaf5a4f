"""One follower with many pipelines under way at an engine that answers slowly, one that is dead, and a quick one.

What counts is the delay from a pipeline's end, as its engine tells it, to its record here, by polling alone.
"""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
from django.db import connection as database
from django.db import transaction

from activities.models import Connection
from config.embedded import ROOT
from releases.models import Attempt
from tests.benchmarks import stack
from tests.benchmarks.shapes import process

EACH = 500
"""Pipelines of one release."""
QUICK = 50
DEAD = 500


def measure(pipelines: int, folder: Path) -> Iterator[str]:
    """Yield lines with what was measured."""
    with (
        engine(0.5) as slow,
        engine(0.01) as quick,
        dead_engine() as dead,
        follower(folder / "follow.log") as following,
    ):
        _connect("slow", slow, concurrency=250)
        _connect("quick", quick, concurrency=20)
        _connect("dead", dead, concurrency=250)
        _start("dead", DEAD)
        _start("quick", QUICK)
        _start("slow", pipelines)
        began = time.monotonic()
        stack.wait_until(lambda: _running("slow", started=True) >= pipelines * 0.999, 600)
        yield f"{pipelines} pipelines, the last of them started at a slow engine in {time.monotonic() - began:.0f} s"
        began, spent = time.monotonic(), following.cpu_times()
        stack.wait_until(lambda: not _running("slow") and not _running("quick"), 900)
        lasted, now = time.monotonic() - began, following.cpu_times()
        used = now.user + now.system - spent.user - spent.system
        looks = {name: _asked(url)["looks"] for name, url in (("slow", slow), ("quick", quick))}
        memory = following.memory_info().rss / 2**20
        cost = f"{used / lasted:.2f} of a core, {memory:.0f} MB"
        yield f"  then {lasted:.0f} s: {cost}, {looks['slow'] / pipelines:.1f} looks each"
        for name, words in (("slow", "answers after 0.5 s"), ("quick", "is quick, beside them")):
            yield f"  end to record at the engine that {words}: {_spread(_delays(name))}"
        yield f"  at the dead engine {_running('dead')} wait, with {dead_calls(following)} calls under way"


@contextmanager
def engine(delay: float) -> Iterator[str]:
    """An engine of jobs that answers after a delay; its address."""
    command = [sys.executable, "-m", "tests.benchmarks.slow_engine", str(delay)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield f"http://127.0.0.1:{running.stdout.readline().strip()}"
    finally:
        running.kill()
        running.wait()


@contextmanager
def dead_engine() -> Iterator[str]:
    """An engine that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def follower(log: Path) -> Iterator[psutil.Process]:
    """The follower, as it is run."""
    with log.open("w") as output:
        command = [sys.executable, str(ROOT / "manage.py"), "follow"]
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield psutil.Process(running.pid)
        finally:
            running.terminate()
            running.wait(30)


def dead_calls(following: psutil.Process) -> int:
    """Return how many connections of the follower are to nobody who answers, at most: those that wait for an answer."""
    ports = {
        int(row[0].rpartition(":")[2]) for row in Connection.objects.filter(slug="dead").values_list("settings__url")
    }
    return sum(1 for one in following.net_connections("tcp") if one.raddr and one.raddr.port in ports)


def _connect(slug: str, url: str, **limits: float) -> None:
    job = {
        "start": {"path": "/jobs"},
        "reference": "/id",
        "look": {"path": "/jobs/{reference}"},
        "status": "/state",
        "succeeded": ["done"],
        "outputs": {"ended_at": "/ended_at"},
    }
    settings = {"url": url, "pipelines": {"job": job}}
    defaults = {"name": slug, "provider": "http", "settings": settings, "limits": limits}
    Connection.objects.update_or_create(slug=slug, defaults=defaults)


def _start(slug: str, pipelines: int) -> None:
    for first in range(0, pipelines, EACH):
        count = min(EACH, pipelines - first)
        block = {"connection": slug, "pipeline": "job"}
        activities = [{"id": f"a{index}", "automated": dict(block)} for index in range(count)]
        document = process(f"{slug}-{count}", [{"id": "all", "name": "All", "activities": activities}])
        stack.start(stack.publish(document))
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_CLAIM_ALL, {"slug": slug})


#: What workers would do, one activity after the other: claim what is queued and leave it to the follower.
_CLAIM_ALL = """
    WITH r AS (UPDATE releases_activityrun SET state = 'running', started_at = now(), next_look_at = NULL
                WHERE state = 'queued' AND work->>'connection' = %(slug)s RETURNING id, attempt, inputs, work)
    INSERT INTO releases_attempt (activity_run_id, number, status, inputs, outputs, error, reference, link, looks,
                                  started_at, work, connection, follow_at)
    SELECT id, attempt, 'running', inputs, '{}', '', '', '', 0, now(), work, %(slug)s, now() FROM r"""


def _running(slug: str, *, started: bool = False) -> int:
    found = Attempt.objects.filter(connection=slug, status="running")
    return (found.exclude(reference="") if started else found).count()


def _asked(url: str) -> dict[str, int]:
    with urlopen(f"{url}/asked", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _delays(slug: str) -> list[float]:
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM r.finished_at) - (r.outputs->>'ended_at')::float
                 FROM releases_activityrun r JOIN releases_attempt t ON t.activity_run_id = r.id
                WHERE t.connection = %s AND r.state = 'succeeded'""",
            [slug],
        )
        return sorted(float(row[0]) for row in cursor.fetchall())


def _spread(delays: list[float]) -> str:
    if not delays:
        return "nothing"

    def at(share: float) -> float:
        return delays[min(len(delays) - 1, math.floor(len(delays) * share))]

    return f"{at(0.5):.1f} s in the middle, {at(0.95):.1f} s for 95 %, {delays[-1]:.1f} s at most ({len(delays)})"
