"""A process that asks for sign-offs, and people who give them."""

from __future__ import annotations

from datetime import timedelta

from releases.execution import attempts
from releases.services import answering
from tests.builders import MONDAY

LATER = MONDAY + timedelta(hours=1)


def approval(rules: str, **terms: str) -> str:
    """Return a process whose activity `one/step` (of devops) asks for sign-offs, then `one/then` waits for a person."""
    more = "".join(f", {key}: {value}" for key, value in terms.items())
    return f"""
id: process
inputs: {{team: {{type: string, default: qa}}, grace: {{type: duration, default: 2h}}}}
roles: {{lead: {{group: qa}}}}
phases:
  - id: one
    owners: [group:devops]
    activities:
      - {{id: step, manual: {{approval: {{rules: {rules}{more}}}}}}}
      - {{id: then, depends_on: [step], manual: {{instructions: Look.}}}}
"""


def sign(person, run, decision="approved", comment="", now=LATER):
    """Sign, and return the state that this brings the activity to."""
    answering.sign_off(person, run, decision=decision, comment=comment, now=now)
    run.refresh_from_db()
    return run.state


def reject(person, run, comment="not good"):
    """Reject, and return the state that this brings the activity to."""
    return sign(person, run, "rejected", comment)


def wait_until(run, now):
    """Do what a moment brings, and return the state that this brings the activity to."""
    attempts.due(run.release_id, run.pk, now=now)
    run.refresh_from_db()
    return run.state
