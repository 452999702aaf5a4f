"""What never ran, on a real database: what it means for the phase around it, and that nothing is left behind."""

from __future__ import annotations

import pytest

from tests import fakes
from tests.builders import phase_of, start, states, work

pytestmark = pytest.mark.django_db

# [build: sign (fails)]
#            └─── [deploy: upload, activate] ─ [announce: mail]
HALF = """
id: main
phases:
  - id: build
    activities:
      - {id: sign, on_failure: fail, automated: {connection: scripted, pipeline: sign}}
  - id: deploy
    activities:
      - {id: upload, automated: {connection: scripted, pipeline: upload}}
      - {id: activate, depends_on: [build.sign], automated: {connection: scripted, pipeline: activate}}
  - id: announce
    depends_on: [deploy]
    activities:
      - {id: mail, automated: {connection: scripted, pipeline: mail}}
"""


def test_nothing_starts_downstream_of_a_phase_that_lost_something_to_a_failure(engine):
    engine.script["sign"] = [fakes.failed()]
    release = start(HALF)
    work(release)
    assert engine.pipelines.count("mail") == 0
    assert phase_of(release, "deploy").state == "aborted"
    assert states(release)["announce/mail"] == "aborted"
    assert release.state == "failed"


def test_what_an_optional_failure_keeps_from_running_stops_nobody_else(engine):
    engine.script["sign"] = [fakes.failed()]
    release = start(HALF.replace("{id: sign,", "{id: sign, required: false,"))
    work(release)
    assert phase_of(release, "deploy").state == "partially_succeeded"
    assert states(release)["announce/mail"] == "succeeded"
    assert release.state == "partially_succeeded"


def test_a_release_that_ends_with_a_phase_that_cannot_open_leaves_nothing_pending(engine):
    # [build: make] ─ [check (unreadable): scan { [look: work] }]
    release = start("""
id: scan
phases:
  - id: look
    activities:
      - {id: work, automated: {connection: scripted, pipeline: work}}
---
id: main
inputs: {names: {type: list, items: string}}
phases:
  - id: check
    when: "${{ inputs.names[5] == 'x' }}"
    activities:
      - {id: scan, subprocess: {process: scan}}
""", inputs={"names": ["a"]})  # fmt: skip
    work(release)
    assert release.state == "failed"
    assert states(release) == {"check/scan": "aborted", "check/scan/look/work": "aborted"}
    assert phase_of(release, "check/scan/look").state == "aborted"
