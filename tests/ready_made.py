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
from config.servers import Postgres

COLLECT = "import django; django.setup(); from config.management.commands import run; run.collect_static()"
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
            given = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
            environment = {**given, "PILOTHOUSE_TEST_DATABASE": "made_half"}
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            database.execute(f"ALTER DATABASE made_half RENAME TO {name}")
    return name


def furnish(place: State, tests: State) -> None:
    """Gives an empty state folder a database that has every table, and the static files; `tests` is the tests' own."""
    made = State(tests.path / f"made-{_digest()}", throwaway=True)
    tests.make()
    if not (made.path / "is-whole").exists():
        _furnish_once(made, tests)
    place.make()
    parts = [made.path / name for name in ("postgres", "postgres.made", "static", "static.digest")]
    subprocess.run(["cp", "-a", *parts, place.path], check=True)


def _furnish_once(made: State, tests: State) -> None:
    here = Hold(tests)
    try:
        name = template(tests)
        with _alone(tests):
            if not (made.path / "is-whole").exists():
                for old in tests.path.glob("made-*"):
                    shutil.rmtree(old)
                _make(made, tests.database_url.replace("/pilothouse?", f"/{name}?"))
    finally:
        here.release()


def _make(made: State, tables: str) -> None:
    hold = Hold(made)
    programs = Postgres(made).bin
    ours = {name: value for name, value in os.environ.items() if name not in OF_OURS}
    environment = {**ours, "DJANGO_SETTINGS_MODULE": "config.settings", "PILOTHOUSE_STATE": str(made.path)}
    try:
        dump = subprocess.run([programs / "pg_dump", "--no-owner", tables], capture_output=True, check=True).stdout
        quiet = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        subprocess.run([programs / "psql", *quiet, made.database_url], input=dump, check=True)
        subprocess.run([sys.executable, "-c", COLLECT], cwd=ROOT, env=environment, check=True)
    finally:
        hold.release()
    (made.path / "is-whole").touch()


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
