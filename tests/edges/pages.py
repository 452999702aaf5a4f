"""Using the pages as one person: opening them, pressing what they offer, reading what they say."""

from __future__ import annotations

import html
import re
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from processes.models import InputSet, Process
from processes.services.applying import apply
from releases.models import ActivityRun, Release
from releases.services import planning, starting
from tests.builders import scripted_connection, work


class Reader:
    """One person with a browser; `text` is the last page without its tags, `source` as it came."""

    def __init__(self, user: User | None = None, **options: Any) -> None:
        self.client = Client(**options)
        if user is not None:
            self.client.force_login(user)
        self.source = ""
        self.status = 0
        self.location = ""

    def open(self, address: str, **headers: str) -> str:
        """Open an address and return the page's text."""
        return self._read(self.client.get(address, headers={k.replace("_", "-"): v for k, v in headers.items()}))

    def send(self, address: str, **data: Any) -> str:
        """Post a form and return the text of what came back; a redirect is followed once it is noted in `location`."""
        response = self.client.post(address, data)
        self.location = response.headers.get("Location", "")
        status = response.status_code
        text = self._read(response)
        if self.location and not self.location.startswith("/sign-in/"):
            text = self.open(self.location)
        self.status = status
        return text

    def _read(self, response: Any) -> str:
        raw = b"".join(response.streaming_content) if response.streaming else response.content
        self.source, self.status, self.headers = raw.decode(), response.status_code, response.headers
        return self.text

    @property
    def text(self) -> str:
        bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", self.source, flags=re.DOTALL)
        return re.sub(r"\s+", " ", html.unescape(bare))

    @property
    def actions(self) -> set[str]:
        """The last parts of the addresses that the page's forms post to."""
        return {found.rstrip("/").rpartition("/")[2] for found in re.findall(r'action="([^"]+)"', self.source)}


def publish(text: str) -> Process:
    """Apply and publish documents as the machine, and return their last process."""
    scripted_connection()
    apply(None, text, now=timezone.now(), publish=True)
    return Process.objects.latest("pk")


def plan(process: Process, by: User, **more: Any) -> Release:
    """Create a draft release."""
    more = {"name": "Spring", "version": "1.2.3", "now": timezone.now(), **more}
    return planning.create_release(
        by, process=process, input_set=InputSet.objects.filter(process=process).first(), **more
    )


def start(process: Process, by: User, **more: Any) -> Release:
    """Create a release, start it, and do what workers would."""
    release = plan(process, by, **more)
    starting.start_release(by, release, now=timezone.now())
    work(release)
    return release


def page_of(release: Release, part: str = "") -> str:
    """Return the address of a release, or of a part of it."""
    return f"/releases/{release.pk}/{part}"


def panel_of(run: ActivityRun, verb: str = "") -> str:
    """Return the address of an activity, or of doing `verb` to it."""
    return f"/releases/{run.release_id}/activities/{run.pk}/" + (f"do/{verb}/" if verb else "")


#: prepare(check, runbook: everything people can be asked) ; move(vendor: signal ──> cut over)
KINDS = """
kind: Process
id: move
name: Database move
inputs:
  region: {type: enum, options: [eu, us], default: eu}
  version: {type: string, required: true, pattern: '^[0-9.]+$', description: What is moved}
  hosts: {type: list, items: string, default: [db-1, db-2]}
phases:
  - id: prepare
    name: Prepare
    owners: [group:qa]
    activities:
      - id: check
        inputs: {limit: {type: integer, default: 10}}
        outputs: {lag: {type: integer}}
        automated: {connection: scripted, pipeline: check}
      - id: runbook
        name: Walk through
        manual:
          instructions: "Read **this** <script>alert(1)</script> [now](javascript:alert(2))"
          tasks: [{id: look, name: Look at it, groups: [qa]}]
          form: {lasts: {type: duration, required: true}, risk: {type: enum, options: [low, high]}}
          approval: {rules: [{group: qa, count: 1}], four_eyes: false}
          evidence: {required: 1}
  - id: move
    name: Move
    owners: [group:qa]
    activities:
      - {id: vendor, signal: {payload: {ticket: {type: integer, required: true}}, match: "${{ payload.ticket > 5 }}"}}
      - {id: cut, name: Cut over, depends_on: [vendor], automated: {connection: scripted, pipeline: cut}}
outputs: {lag: "${{ phases.prepare.activities.check.outputs.lag }}"}
---
kind: InputSet
id: usual
name: Usual
process: move
values: {inputs: {version: "1.0"}}
"""
