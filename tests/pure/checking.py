# ruff: noqa: E501  one small document per line reads better than a wrapped one
"""What the tests of the publish checks share: a process to begin with, and its faults in short."""

from __future__ import annotations

from config.errors import Fault
from processes.checks import check_process
from tests.pure.documents import catalogue, process

HEAD = """
inputs:
  version: {type: string, required: true}
  count: {type: integer, default: 1}
  images: {type: list, items: string, default: []}
  soak: {type: duration, default: 2s}
  credential: {type: secret}
roles: {manager: {group: release-managers}}
"""
GOOD = """
- id: build
  name: Build
  owners: [group:development]
  outputs: {image: "${{ phases.build.activities.cart.outputs.image }}"}
  activities:
    - {id: cart, activity: build-service, with: {service: cart, version: "${{ inputs.version }}", credential: "${{ inputs.credential }}"}}
    - {id: review, manual: {approval: {rules: [{group: development}]}}}
- id: ship
  name: Ship
  owners: [role:manager, user:owner]
  depends_on: [build]
  when: "${{ phases.build.state == 'succeeded' && phases.build.outputs.image.startsWith('c') }}"
  inputs: {image: {default: "${{ phases.build.activities.cart.outputs.image }}"}}
  activities:
    - {id: scan, subprocess: {process: scan, with: {image: "${{ phase.inputs.image }}"}}}
    - {id: each, for_each: "${{ inputs.images }}", parallel: 2, activity: build-service, with: {service: "${{ item }}", version: "v${{ index }}"}}
    - {id: sizes, depends_on: [each, scan], wait: "${{ duration(string(phases.ship.activities.each.outputs.size[0]) + 's') }}",
       when: "${{ phases.ship.activities.scan.outputs.verdict == 'approved' }}"}
    - {id: hook, signal: {payload: {version: {type: string}}, match: "${{ payload.version == inputs.version }}"}}
    - {id: after, depends_on: [hook], wait: 1s, when: "${{ phases.ship.activities.hook.outputs.version == inputs.version }}"}
    - id: go
      manual:
        instructions: "Ship ${{ inputs.version }} as ${{ release.name }}"
        approval: {rules: [{group: devops}], different_from: [build.review]}
"""


def faults(phases: str, head: str = HEAD) -> list[Fault]:
    return check_process(process(phases, head), catalogue()).faults


def warnings(phases: str, head: str = HEAD) -> list[Fault]:
    report = check_process(process(phases, head), catalogue())
    assert report.faults == []
    return report.warnings


def of_activity(activity: str) -> list[Fault]:
    """The faults of one activity `x` of a phase `a`, after an activity `before`; paths start at the activity."""
    found = faults(f"""
- id: a
  name: A
  owners: [group:qa]
  activities:
    - {{id: before, activity: build-service, with: {{service: cart, version: "1"}}}}
    - {{id: x, {activity}}}
""")
    return [
        Fault(fault.path.removeprefix("phases[0].activities[1]").removeprefix("."), fault.message, fault.cure)
        for fault in found
    ]
