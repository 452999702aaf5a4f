"""The samples, and small process documents for one test each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from processes.catalogue import DocumentCatalogue
from processes.document import load

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
GROUPS = {
    "release-managers": ["manager"],
    "development": ["author", "owner"],
    "qa": ["owner"],
    "security": ["manager"],
    "devops": ["owner"],
    "service-owners": ["author", "owner"],
}
STORE = """
kind: Connection
id: local
name: Local
provider: local
---
kind: Resource
id: cart
name: Cart
type: service
---
kind: Activity
id: build-service
name: Build
type: automated
inputs:
  service: {type: service, required: true}
  version: {type: string, required: true}
  credential: {type: secret}
outputs: {image: {type: string}, size: {type: integer}}
automated: {connection: local, command: [make], parameters: {SERVICE: "${{ activity.inputs.service }}"}}
retry: {attempts: 3, delay: 1s, factor: 2, ceiling: 30s}
timeout: 10m
tags: [building]
---
kind: Activity
id: sign-off
name: Sign off
type: manual
inputs: {what: {type: text, required: true}}
manual:
  instructions: "${{ activity.inputs.what }}"
  approval: {rules: [{group: "${{ phase.owners[0] }}", count: 1}], expires_in: 2d}
---
kind: Process
id: scan
name: Scan
inputs: {image: {type: string, required: true}}
phases:
  - id: look
    name: Look
    owners: [group:security]
    activities:
      - {id: accept, activity: sign-off, with: {what: "Accept ${{ inputs.image }}"}}
outputs: {verdict: "${{ phases.look.activities.accept.outputs.decision }}"}
"""


def example(name: str) -> list[dict[str, Any]]:
    """The documents of one sample file."""
    return load((EXAMPLES / f"{name}.yaml").read_text())


def catalogue(*more: dict[str, Any]) -> DocumentCatalogue:
    """The store above, and more documents."""
    return DocumentCatalogue([*load(STORE), *more], GROUPS, ["author", "owner", "manager"])


def process(phases: str, head: str = "") -> dict[str, Any]:
    """A process `train` with these phases (YAML of a list) and more keys at the top."""
    indented = "\n".join(f"  {line}" for line in phases.strip("\n").splitlines())
    return load(f"kind: Process\nid: train\nname: Train\n{head}\nphases:\n{indented}\n")[0]
