"""The follower in a thread of a test, and a job engine for it to speak with."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from activities.models import Connection
from releases.follower import Follower
from tests.engine_double import Reply, Request

PATIENCE = 20.0


def until(ask: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + patience
    while not (answer := ask()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.03)
    return answer


@contextmanager
def following(**options: Any) -> Iterator[Follower]:
    """A follower that follows as long as the block lasts."""
    follower = Follower(**options)
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await follower.run()

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, run())
        until(lambda: loops or done.done())
        try:
            yield follower
        finally:
            if not done.done():
                loops[0].call_soon_threadsafe(follower.stop)
            done.result(PATIENCE)


class Jobs:
    """An engine of jobs: `POST /jobs`, `GET /jobs/<id>`, `POST /jobs/<id>/cancel`, `GET /jobs?key=`.

    `script` are replies that come instead of the next answers, by the method and the path's beginning; with `forgets`
    it does not know a key that it has seen.
    """

    def __init__(self, *, state: str = "running", forgets: bool = False, delay: float = 0.0) -> None:
        self.state, self.forgets, self.delay = state, forgets, delay
        self.jobs: dict[str, dict[str, Any]] = {}
        self.by_key: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.starts = self.looks = 0
        self.script: dict[str, list[Reply]] = {}
        self.lose_start = False
        self._pen = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self._pen:
            for beginning, replies in self.script.items():
                if replies and f"{request.method} {request.path}".startswith(beginning):
                    reply = replies.pop(0)
                    if not reply.hang_up:
                        return reply
                    self._answer(request)
                    return reply
            reply = self._answer(request)
            reply.delay = reply.delay or self.delay
            return reply

    def _answer(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        if request.method == "POST" and len(parts) == 1:
            return self._start(request)
        if len(parts) == 1:
            found = self.by_key.get(request.query.get("key", ""))
            return Reply(body=[{"id": found}] if found else [])
        if parts[1] not in self.jobs:
            return Reply(404, {"message": "No such job"})
        job = self.jobs[parts[1]]
        if parts[2:] == ["cancel"]:
            self.cancelled.append(parts[1])
            job["state"] = "stopped"
            return Reply(body=job)
        if parts[2:] == ["log"]:
            return Reply(body=job.get("log", "").encode())
        self.looks += 1
        return Reply(body={**job, "state": job["state"] or self.state})

    def _start(self, request: Request) -> Reply:
        key = request.headers["idempotency-key"]
        self.starts += 1
        if key in self.by_key and not self.forgets:
            return Reply(body=self.jobs[self.by_key[key]])
        slug = str(len(self.jobs) + 1)
        self.jobs[slug] = {"id": slug, "state": "", "got": request.json if request.body else None, "image": "shop:1"}
        self.by_key[key] = slug
        return Reply(201, self.jobs[slug])


JOB: dict[str, Any] = {
    "start": {"path": "/jobs", "body": {"key": "{key}"}},
    "find": {"path": "/jobs", "query": {"key": "{key}"}, "reference": "/0/id"},
    "reference": "/id",
    "link": "https://jobs.example/{reference}",
    "look": {"path": "/jobs/{reference}"},
    "status": "/state",
    "succeeded": ["done"],
    "failed": ["broken"],
    "cancelled": ["stopped"],
    "error": "/why",
    "outputs": {"image": "/image"},
    "log": {"path": "/jobs/{reference}/log"},
    "cancel": {"path": "/jobs/{reference}/cancel"},
    "every": 1,
}


def jobs_connection(url: str, *, slug: str = "jobs", limits: dict[str, float] | None = None, **job: Any) -> Connection:
    """Return a connection to an engine of jobs."""
    settings = {"url": url, "pipelines": {"job": {**JOB, **job}}}
    values = {"name": slug.title(), "provider": "http", "settings": settings, "limits": limits or {}}
    return Connection.objects.update_or_create(slug=slug, defaults=values)[0]
