"""Many open pages that hear of one release, in the real web process: what they cost, and how late they hear.

Each page holds a stream and refreshes nothing: what is measured is the telling. First nothing happens; then releases
run, and this driver commits changes of the one release that every page shows, with their moments.
"""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from django.contrib.auth.models import User
from django.db import close_old_connections, transaction

from config import hints
from tests.benchmarks import stack
from tests.web import Web, session_of

PEOPLE = 50
QUIET = 10.0  # seconds without any change
CHANGES = 20
BETWEEN = 0.5  # seconds
RUNNING = 5  # releases at work meanwhile


def measure(revision: Any, pages: int, log: Path) -> Iterator[str]:
    """Yield lines with what was measured."""
    web = Web(log, DJANGO_SETTINGS_MODULE="config.settings")
    web.start()
    try:
        yield from asyncio.run(_listen(web, revision, pages))
    finally:
        web.stop(signal.SIGKILL)


async def _listen(web: Web, revision: Any, pages: int) -> list[str]:
    shown = await asyncio.to_thread(stack.start, revision)
    sessions = await asyncio.to_thread(_sign_in)
    assert web.process is not None
    process = psutil.Process(web.process.pid).children()[0]
    before = process.memory_info().rss
    heard: list[list[float]] = [[] for _ in range(pages)]
    began_at = time.perf_counter()
    tasks = []
    for number in range(pages):
        opened = asyncio.Event()
        read = _read(web.port, sessions[number % PEOPLE], f"release:{shown}", heard[number], opened)
        tasks.append(asyncio.create_task(read))
        if number % 20 == 19:
            await asyncio.wait_for(opened.wait(), 60)
    await asyncio.sleep(5)
    opening, memory = time.perf_counter() - began_at - 5, process.memory_info().rss - before
    idle = await _processor(process, asyncio.sleep(QUIET)) / QUIET
    for one in heard:
        one.clear()
    told: list[float] = []
    busy = await _processor(process, _work(revision, shown, told)) / (CHANGES * BETWEEN)
    delays = sorted(_delay(one, moment) for one in heard for moment in told)
    for task in tasks:
        task.cancel()
    lost = sum(math.isinf(delay) for delay in delays)
    median, late, last = (f"{1000 * _at(delays, share):.0f} ms" for share in (0.5, 0.99, 1))
    return [
        f"{pages} open pages: opened in {opening:.1f} s, {memory / 1024 / max(pages, 1):.0f} KB each, "
        f"{100 * idle:.1f} % of a core when nothing happens, {100 * busy:.1f} % while {RUNNING} releases run",
        f"  a commit reaches them in {median} (median), {late} (p99), {last} (the last); {lost} of {len(delays)} lost",
    ]


async def _work(revision: Any, shown: int, told: list[float]) -> None:
    for _ in range(RUNNING):
        await asyncio.to_thread(stack.start, revision)
    for _ in range(CHANGES):
        told.append(await asyncio.to_thread(_commit, shown))
        await asyncio.sleep(BETWEEN)


def _commit(release_id: int) -> float:
    with transaction.atomic():
        hints.changed(release_id)
        return time.perf_counter()


def _sign_in() -> list[str]:
    close_old_connections()
    people = [User.objects.get_or_create(username=f"page-{n}", is_superuser=True)[0] for n in range(PEOPLE)]
    return [session_of(person)["sessionid"] for person in people]


async def _read(port: int, session: str, topics: str, heard: list[float], opened: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /live/?topics={topics} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={session}\r\n\r\n".encode()
    )
    async for line in reader:
        if line.startswith(b"event: change"):
            heard.append(time.perf_counter())
        elif line.startswith(b"event: ready"):
            opened.set()


async def _processor(process: psutil.Process, doing: Any) -> float:
    """Return the processor seconds that a process uses meanwhile."""
    before = process.cpu_times()
    await doing
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def _delay(heard: list[float], moment: float) -> float:
    return min((one - moment for one in heard if one >= moment), default=math.inf)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
