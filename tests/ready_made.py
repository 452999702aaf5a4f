"""Databases with all their tables that are made once and then copied: making one takes longer than most tests.

What is made is kept in the tests' state folder, under the digest of what it was made from.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg

from config.embedded import ROOT, Hold, State

OF_OURS = ("DATABASE_URL", "REDIS_URL", "PILOTHOUSE_TEST_DATABASE", "PILOTHOUSE_TEST_SLOT", "PILOTHOUSE_THROWAWAY")


def template(place: State) -> str:
    """The name of a database of the running servers that has every table and no row; to be copied, never changed."""
    name = f"made_{_digest()}"
    with _alone(place), psycopg.connect(place.database_url, autocommit=True) as database:
        found = [old for (old,) in database.execute(r"SELECT datname FROM pg_database WHERE datname LIKE 'made\_%'")]
        if name not in found:
            for old in found:
                with contextlib.suppress(psycopg.Error):  # somebody copies it
                    database.execute(f"DROP DATABASE {old}")
            database.execute("CREATE DATABASE made_half")
            _migrate({**os.environ, "PILOTHOUSE_TEST_DATABASE": "made_half"})
            database.execute(f"ALTER DATABASE made_half RENAME TO {name}")
    return name


def furnish(place: State, tests: State) -> None:
    """Gives a state folder without data a database that has every table; `tests` is the tests' own state folder."""
    made = State(tests.path / f"made-{_digest()}", throwaway=True)
    tests.make()
    with _alone(tests):
        if not (made.path / "is-whole").exists():
            for old in tests.path.glob("made-*"):
                shutil.rmtree(old)
            _make(made)
    place.make()
    subprocess.run(["cp", "-a", made.path / "postgres", made.path / "postgres.made", place.path], check=True)


def _make(made: State) -> None:
    hold = Hold(made)
    ours = {name: value for name, value in os.environ.items() if name not in OF_OURS}
    try:
        _migrate({**ours, "DJANGO_SETTINGS_MODULE": "config.settings", "PILOTHOUSE_STATE": str(made.path)})
    finally:
        hold.release()
    (made.path / "is-whole").touch()


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)


@cache
def _digest() -> str:
    """What decides how the tables are: our migrations, and the versions of everybody else's."""
    files = [*sorted(ROOT.glob("*/migrations/*.py")), ROOT / "requirements.txt"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


@contextlib.contextmanager
def _alone(place: State) -> Iterator[None]:
    """While the block lasts, no other process of this state folder is in such a block."""
    with Path(place.path / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
