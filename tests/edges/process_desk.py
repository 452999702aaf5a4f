"""Processes as authors find them in the admin: the sample, and an odd one."""

from __future__ import annotations

from datetime import UTC, datetime

from processes.models import Phase, Process
from tests.edges.desk import Desk

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ODD = """
kind: Process
id: odd
name: Odd
description: ""
fail_fast: false
inputs: {list: {type: list, items: string, default: []}}
phases:
  - {id: a, name: A, depends_on: [], owners: [], needs: all, tags: [x], when: true}
  - id: b
    name: B
    description: "Two\\nlines"
    depends_on: [a]
    activities:
      - {id: one, wait: 1h, name: One}
      - {id: two, depends_on: [one, a.x], subprocess: {process: odd, with: {list: [p, q]}}, timeout: 1h}
      - {id: three, subprocess: odd@3, with: {list: []}, on_failure: ignore}
"""


def process(slug: str = "multi-service-release") -> Process:
    return Process.objects.get(slug=slug)


def phase(slug: str, of: str = "multi-service-release") -> Phase:
    return Phase.objects.get(process__slug=of, slug=slug)


def open_process(desk: Desk, slug: str = "multi-service-release") -> Desk:
    return desk.open("processes_process_change", process(slug).pk)


def open_phase(desk: Desk, slug: str, of: str = "multi-service-release") -> Desk:
    return desk.open("processes_phase_change", phase(slug, of).pk)
