"""The shipped activities of trackers, from the store to the changes of a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from activities.models import Connection, Secret
from activities.secrets import set_secret
from config.errors import InvalidInput
from processes.models import Process
from processes.services.applying import apply
from releases.models import Change, Release
from releases.services import planning, starting
from tests.builders import run_of, work
from tests.engine_double import double
from tests.following import following, until
from tests.jira_double import Jira

pytestmark = pytest.mark.django_db(transaction=True)

SHIPPED = Path(__file__).parents[2] / "processes" / "shipped"
SHOP = """
---
kind: Process
id: shop
name: Shop
phases:
  - id: change
    name: Change
    owners: [group:qa]
    activities:
      - {id: open, activity: jira-open-issue, with: {project: SHOP, summary: "Release ${{ release.version }}"}}
      - id: move
        activity: jira-update-issue
        depends_on: [open]
        with: {issue: "${{ phases.change.activities.open.outputs.ticket }}", status: Approved}
      - id: approved
        activity: jira-await-issue
        depends_on: [move]
        with: {issue: "${{ phases.change.activities.open.outputs.ticket }}", until: Approved}
"""


@pytest.fixture
def jira(settings: Any, groups: Any, owner: Any) -> Iterator[Jira]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    jira = Jira()
    set_secret(None, "jira", "jira-token")
    with double(jira) as api:
        connected = {"url": api.url, "email": "bot@shop.example"}
        secret = Secret.objects.get(name="jira")
        Connection.objects.create(slug="jira", name="Jira", provider="jira", settings=connected, secret=secret)
        yield jira


def started() -> Release:
    apply(None, (SHIPPED / "jira.yaml").read_text() + SHOP, now=timezone.now(), publish=True)
    process = Process.objects.get(slug="shop")
    release = planning.create_release(None, process=process, name="Spring", version="1.2.3", now=timezone.now())
    starting.start_release(None, release, now=timezone.now())
    return release


def test_an_issue_is_opened_moved_and_awaited_and_the_release_carries_it(jira: Jira) -> None:
    release = started()

    def over() -> bool:
        work(release)
        return release.finished_at is not None

    with following():
        until(over, patience=40)
    assert release.state == "succeeded"
    assert run_of(release, "change/approved").outputs["status"] == "Approved"
    (change,) = Change.objects.filter(release=release)
    assert (change.kind, change.reference, change.title) == ("ticket", "SHOP-1", "Release 1.2.3")
    assert change.link.endswith("/browse/SHOP-1")
    assert (len(jira.issues), jira.moves) == (1, 1)


def test_what_a_verb_does_not_take_is_refused_when_it_is_published(jira: Jira) -> None:
    wrong = SHOP.replace(
        "activity: jira-update-issue", "automated: {connection: jira, pipeline: update, parameters: {isue: X-1}}"
    ).replace('        with: {issue: "${{ phases.change.activities.open.outputs.ticket }}", status: Approved}\n', "")
    with pytest.raises(InvalidInput) as caught:
        apply(None, (SHIPPED / "jira.yaml").read_text() + wrong, now=timezone.now(), publish=True)
    said = str(caught.value)
    assert "'isue' is not a known key here. Did you mean issue?" in said
    assert "'issue' is missing" in said
