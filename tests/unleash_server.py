"""A real Unleash: installed once from npm into a folder, its data in a database of a PostgreSQL that runs already.

Used by the tests and by whoever wants to show one. Needs Node.js; nothing else of the machine is touched.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from config.embedded import DATABASE_USER, State
from tests.installed import CannotBeHad, free_port, installed, read, run, serving

VERSION = "7.5.1"
ENVIRONMENT = "development"
ADMIN_TOKEN, CLIENT_TOKEN = "*:*.pilothouse-admin", f"*:{ENVIRONMENT}.pilothouse-client"


@dataclass(frozen=True)
class Unleash:
    """One that runs: its address, and what an application with a client token is told."""

    url: str

    def client_flags(self) -> dict[str, dict[str, Any]]:
        """Returns the flags as applications get them, by name."""
        return {one["name"]: one for one in self.read("/api/client/features", CLIENT_TOKEN)["features"]}

    def read(self, path: str, token: str = ADMIN_TOKEN) -> dict[str, Any]:
        """Returns what is at a path."""
        return self.ask("GET", path, token=token)

    def ask(self, method: str, path: str, body: Any = None, *, token: str = ADMIN_TOKEN) -> dict[str, Any]:
        """Returns the answer of the API as a mapping."""
        headers = {"Authorization": token, "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
        return found


def program() -> Path:
    """The path of the program. Raises CannotBeHad."""
    return installed(f"unleash-{VERSION}", _install) / "node_modules/unleash-server/dist/server.js"


def _install(place: Path) -> None:
    if shutil.which("node") is None:
        raise CannotBeHad("Unleash needs Node.js, and there is none here")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    run("npm", "install", *quiet, "--prefix", place, f"unleash-server@{VERSION}")


@contextmanager
def unleash(state: State, database: str = "unleash", *, fresh: bool = False, port: int = 0) -> Iterator[Unleash]:
    """An Unleash as long as the block lasts, with its data in the embedded PostgreSQL of `state`, which must run.

    `fresh` throws an earlier database of that name away. Raises CannotBeHad.
    """
    path, port = program(), port or free_port()
    _make_database(state, database, fresh=fresh)
    environment, told = _environment(state, database, port), state.logs / "unleash.log"
    told.write_bytes(b"")
    with serving(["node", path], cwd=path.parent, told=told, environment=environment) as wait:
        wait(lambda: bool(read(f"http://127.0.0.1:{port}/health")))
        yield Unleash(f"http://127.0.0.1:{port}")
    if fresh:
        _drop(state, database)


def _environment(state: State, database: str, port: int) -> Mapping[str, str]:
    return {
        "DATABASE_HOST": str(state.sockets),
        "DATABASE_NAME": database,
        "DATABASE_USERNAME": DATABASE_USER,
        "DATABASE_PASSWORD": "",
        "DATABASE_URL": "",
        "DATABASE_SSL": "false",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "UNLEASH_URL": f"http://127.0.0.1:{port}",
        "INIT_ADMIN_API_TOKENS": ADMIN_TOKEN,
        "INIT_CLIENT_API_TOKENS": CLIENT_TOKEN,
        "CHECK_VERSION": "false",
        "SEND_TELEMETRY": "false",
        "NODE_ENV": "production",
    }


def _make_database(state: State, database: str, *, fresh: bool) -> None:
    if fresh:
        _drop(state, database)
    with _connect(state) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if known is None:
            connection.execute(f'CREATE DATABASE "{database}"')


def _drop(state: State, database: str) -> None:
    with _connect(state) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def _connect(state: State) -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(state.sockets), user=DATABASE_USER, dbname="postgres", autocommit=True)
