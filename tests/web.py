"""The real web process, and a real worker, on the database and the broker of the test that starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from django.contrib.auth.models import User
from django.test import Client

from config.privileges import end_with_parent
from tests.system.installation import ROOT, free_port, wait_until


class Web:
    """gunicorn as the supervisor starts it; `more` are environment variables."""

    def __init__(self, log: Path, **more: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log, self._more = log, more
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        bind = f"127.0.0.1:{self.port}"
        self.process = spawn(self._log, "-m", "gunicorn", "-c", "python:config.web", "--bind", bind, **self._more)
        wait_until(self._answers, f"the web process answers; see {self._log}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, wait for the end, and return how many seconds that took."""
        assert self.process is not None
        began_at = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began_at

    def _answers(self) -> bool:
        with suppress(URLError, OSError), urlopen(f"{self.url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


def spawn(log: Path, *command: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a process of this interpreter that does not outlive the tests."""
    here = os.getpid()
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **more},
            stdout=output,
            stderr=output,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL, here),
            start_new_session=True,
        )


@contextmanager
def worker(log: Path) -> Iterator[None]:
    """A Celery worker for the length of the block."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with celery(log, "worker", "-c", "1", "-l", "INFO", *quiet):
        yield


@contextmanager
def beat(log: Path) -> Iterator[None]:
    """The beat of the product for the length of the block; it ticks once `config.beat.ensure_tick` has made the row."""
    with celery(log, "beat"):
        yield


@contextmanager
def celery(log: Path, *command: str) -> Iterator[None]:
    """A process of the product's Celery for the length of the block."""
    process = spawn(log, "-m", "celery", "-A", "config.celery", *command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def session_of(user: User) -> dict[str, str]:
    """Return the cookies of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    return {"sessionid": client.cookies["sessionid"].value}
