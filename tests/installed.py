"""Servers of others that the tests and `make demo-real` start: installed once, into one folder for all of them.

`PILOTHOUSE_SERVERS` names another folder than `.pilothouse/servers`.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.embedded import ROOT
from config.privileges import end_with_parent

FOLDER = ROOT / os.environ.get("PILOTHOUSE_SERVERS", ".pilothouse/servers")
PATIENCE = 180.0
INSTALLS_WITHIN = 900.0


class CannotBeHad(Exception):
    """A server cannot be installed here; the message says which, and why."""


def installed(name: str, install: Callable[[Path], None]) -> Path:
    """The folder of a server; `install` fills it the first time, while everybody else waits. Raises CannotBeHad."""
    place = FOLDER / name
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            try:
                install(place)
            except OSError as error:
                raise CannotBeHad(f"{name} cannot be installed: {error}") from error
            (place / "ready").touch()
    return place


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run a step of an installation. Raises CannotBeHad with the last that it has said."""
    words = [str(word) for word in command]
    what = " ".join(Path(word).name for word in words[:3])
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=INSTALLS_WITHIN,
            check=False,
        )
    except FileNotFoundError as error:
        raise CannotBeHad(f"there is no {words[0]} here") from error
    except subprocess.TimeoutExpired as error:
        raise CannotBeHad(f"'{what}' took longer than {INSTALLS_WITHIN:g} s") from error
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise CannotBeHad(f"'{what}' failed: {told}")


def make_environment(place: Path, *wanted: str) -> None:
    """Make an environment of Python with these packages, and without a pip of its own. Raises CannotBeHad."""
    run(sys.executable, "-m", "venv", "--without-pip", place)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(place / "bin/python"))
    run(*pip, "install", "--quiet", "--no-compile", *wanted)


@contextmanager
def serving(
    command: Sequence[str | Path], *, cwd: Path, told: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """A server as long as the block lasts, and whatever happens to us; what it says goes to `told`.

    Gives a function that waits until something holds, and fails with the end of `told` when the server has ended or it
    takes too long.
    """
    here = os.getpid()
    with told.open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(signal.SIGTERM, here),
        )

    def wait(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert process.poll() is None, told.read_text()[-2_000:]
            assert time.monotonic() < until, told.read_text()[-2_000:]
            time.sleep(0.2)

    try:
        yield wait
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def read(url: str) -> bytes:
    """What an address answers as JSON, nothing if it does not, or not to the end."""
    try:
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):
        return b""
