"""The management commands about freezes, as a person types them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from releases.models import Freeze, FreezeException
from tests.builders import MONDAY, start

pytestmark = pytest.mark.django_db

PROCESS = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_line_is_stopped_and_lifted(manager: User, stranger: User) -> None:
    start(PROCESS)
    with pytest.raises(CommandError, match="add_freeze"):
        run("stop_the_line", "--everything", "--reason", "Outage", "--as", "stranger")
    with pytest.raises(CommandError, match="names nothing"):
        run("stop_the_line", "--reason", "Outage")
    with pytest.raises(CommandError, match="no moment"):
        run("stop_the_line", "--everything", "--reason", "Outage", "--until", "soon")
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    said = run("stop_the_line", "--process", "shop", "--reason", "Outage", "--until", until, "--as", "manager")
    freeze = Freeze.objects.get()
    assert freeze.slug in said
    assert freeze.body["scope"] == {"processes": ["shop"]}
    assert "lifted" in run("lift_freeze", freeze.slug, "--reason", "Back", "--as", "manager")
    assert freeze.windows.get().lifted_by_name == "manager"
    with pytest.raises(CommandError, match="no freeze"):
        run("lift_freeze", "none", "--reason", "Back")


def test_an_exception_is_listed_and_granted(manager: User, stranger: User) -> None:
    release = start(PROCESS)
    run("stop_the_line", "--everything", "--reason", "Outage")
    asked = FreezeException.objects.create(
        freeze=Freeze.objects.get(),
        release=release,
        reason="Fix",
        expires_at=timezone.now() + timedelta(hours=1),
        asked_at=MONDAY,
        asked_by_name="ann",
    )
    assert f"{asked.pk}: {asked}, asked by ann: Fix" in run("grant_exception")
    assert run("grant_exception", "--as", "stranger") == ""
    with pytest.raises(CommandError, match="no exception"):
        run("grant_exception", str(asked.pk), "--as", "stranger")
    assert "granted until" in run("grant_exception", str(asked.pk), "--as", "manager")
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by_name) == ("granted", "manager")
