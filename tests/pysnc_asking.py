"""ServiceNow's own client, which makes, finds, changes and misses a change at an address, and tells what it was told.

This file is run by itself, with the folder of `pysnc` on its path and the address as its argument.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

INSTANCE = "https://now.example"


def told_to(place: Path, address: str) -> dict[str, Any]:
    """Returns what the client was told at an address."""
    environment = {**os.environ, "PYTHONPATH": str(place), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, __file__, address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


class Elsewhere(HTTPAdapter):
    """Asks an address in the place of the instance: the client takes none without TLS."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: PreparedRequest, *given: Any, **named: Any) -> Response:
        """Sends a request."""
        request.url = str(request.url).replace(INSTANCE, self._address, 1)
        return super().send(request, *given, **named)


def _told(address: str) -> dict[str, Any]:
    session = Session()
    session.auth = ("bot", "now-password")
    session.mount(INSTANCE, Elsewhere(address))
    client = importlib.import_module("pysnc").ServiceNowClient(INSTANCE, session, auto_retry=False)
    made, found, changed, missed = (client.GlideRecord("change_request") for _ in range(4))
    made.initialize()
    made.short_description, made.type, made.correlation_id = "Cart", "normal", "key"
    sys_id = str(made.insert())
    found.fields = ["sys_id", "number"]
    found.limit = 1
    found.add_query("correlation_id", "key")
    found.query()
    found.next()
    changed.get(sys_id)
    changed.state, changed.work_notes = "-1", "All well"
    changed.update()
    return {
        "made": sys_id,
        "found": [found.get_value("sys_id"), found.get_value("number")],
        "state": [changed.get_value("state"), changed.get_display_value("state")],
        "work_notes": changed.get_display_value("work_notes"),
        "missed": missed.get("0" * 32),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_told(sys.argv[1])))
