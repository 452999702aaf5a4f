"""Whoever points an input at a secret can have a pipeline read it, so referring to one is a permission of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from guardian.shortcuts import assign_perm

from activities import secrets
from config.errors import NotPermitted
from releases.services import planning, starting
from tests.builders import MONDAY, start

pytestmark = pytest.mark.django_db

TAKES_A_SECRET = """
id: takes
inputs: {key: {type: secret}}
phases:
  - id: only
    activities:
      - {id: wait, manual: {instructions: Say yes.}}
"""


def plan(manager: User, given: dict[str, Any]) -> Any:
    template = start(TAKES_A_SECRET)
    assign_perm("processes.start_process", manager, template.process)
    manager = User.objects.get(pk=manager.pk)
    return planning.create_release(
        manager, process=template.process, revision=template.revision, name="R", given=given, now=MONDAY
    )


def test_nobody_points_a_release_at_a_secret_without_the_permission(engine, manager):
    secrets.set_secret(None, "deploy-key", "hush")
    with pytest.raises(NotPermitted, match="refer to the secret 'deploy-key'"):
        plan(manager, {"inputs": {"key": {"secret": "deploy-key"}}})


def test_the_permission_may_be_given_on_one_secret_alone(engine, manager):
    mine = secrets.set_secret(None, "deploy-key", "hush")
    secrets.set_secret(None, "other-key", "hush")
    assign_perm("activities.use_secret", manager, mine)
    release = plan(manager, {"inputs": {"key": {"secret": "deploy-key"}}})
    somebody = User.objects.get(pk=manager.pk)
    with pytest.raises(NotPermitted, match="other-key"):
        starting.start_release(somebody, release, given={"inputs": {"key": {"secret": "other-key"}}}, now=MONDAY)
    assert starting.start_release(somebody, release, now=MONDAY).state == "running"


def test_what_was_referred_to_before_stays_when_somebody_else_edits(engine, manager):
    secrets.set_secret(None, "deploy-key", "hush")
    template = start(TAKES_A_SECRET)
    given = {"inputs": {"key": {"secret": "deploy-key"}}}
    release = planning.create_release(
        None, process=template.process, revision=template.revision, name="R", given=given, now=MONDAY
    )
    assign_perm("processes.operate_process", manager, template.process)
    edited = planning.edit_release(User.objects.get(pk=manager.pk), release, {"given": given, "name": "S"}, now=MONDAY)
    assert edited.name == "S"
