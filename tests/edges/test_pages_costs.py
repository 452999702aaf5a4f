"""Every page in a number of queries that the number of rows does not change."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.runners import Outcome
from processes.models import Process
from tests.builders import run_of
from tests.edges.pages import KINDS, Reader, page_of, panel_of, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db

# One phase, whose activity runs once per item, and one that waits: as many of each as asked for.
MANY = """
kind: Process
id: many-{count}
name: Many
phases:
  - id: all
    name: All
    owners: [group:qa]
    activities:
      - {{id: each, for_each: "${{{{ [{items}] }}}}", automated: {{connection: scripted, pipeline: one}}}}
{waits}
"""
ASK = """      - id: ask-NUMBER
        manual: {tasks: [{id: t, name: T, groups: [qa]}], approval: {rules: [{group: qa}], four_eyes: false}}"""


def many(count: int) -> Process:
    items = ", ".join(str(number) for number in range(count))
    waits = "\n".join(ASK.replace("NUMBER", str(number)) for number in range(count))
    return publish(MANY.format(count=count, items=items, waits=waits))


def queries(reader: Reader, address: str, **headers: str) -> int:
    reader.open(address, **headers)  # what is remembered per process is not the page's cost
    with CaptureQueriesContext(connection) as caught:
        reader.open(address, **headers)
    assert reader.status == 200
    return len(caught)


def test_home_and_the_list_cost_the_same_for_one_release_and_for_thirty(
    manager: User, owner: User, engine: ScriptedRunner, django_assert_max_num_queries: Any
) -> None:
    process = publish(KINDS)
    start(process, manager)
    readers = [Reader(manager), Reader(owner)]
    few = [queries(reader, address) for reader in readers for address in ("/", "/releases/", "/home/waiting/")]
    for _ in range(29):
        engine.script["check"] = [failed()]
        start(process, manager)
    many = [queries(reader, address) for reader in readers for address in ("/", "/releases/", "/home/waiting/")]
    assert many == few
    with django_assert_max_num_queries(21):
        readers[1].open("/")
    with django_assert_max_num_queries(20):
        readers[1].open("/releases/")


@pytest.mark.parametrize("part", ["", "values/", "outputs/", "changes/", "events/", "timeline/", "wall/", "runbook/"])
def test_a_release_costs_the_same_with_one_activity_and_with_fifty(
    part: str, manager: User, owner: User, engine: ScriptedRunner
) -> None:
    small, large = start(many(1), manager), start(many(50), manager)
    for person in (manager, owner):
        reader = Reader(person)
        assert queries(reader, page_of(small, part)) == queries(reader, page_of(large, part))


def test_refreshing_a_release_takes_few_queries(manager: User, owner: User, django_assert_max_num_queries: Any) -> None:
    large = start(many(50), manager)
    reader = Reader(owner)
    reader.open(page_of(large))
    with django_assert_max_num_queries(28):
        reader.open(page_of(large), HX_Request="true", HX_Target="div#live")


def test_a_panel_costs_the_same_with_one_attempt_and_with_many(
    manager: User, owner: User, engine: ScriptedRunner
) -> None:
    process = publish(KINDS)
    engine.script["check"] = [failed()]
    run = run_of(start(process, manager), "prepare/check")
    reader, at = Reader(owner), timezone.now()
    once = queries(reader, panel_of(run))
    for number in range(10):
        run.attempts.create(number=number + 2, status="failed", started_at=at, finished_at=at)
        run.comments.create(author=owner, author_name="owner", body="Hm.", at=at)
    assert queries(reader, panel_of(run)) == once


def test_the_start_costs_the_same_however_many_values_it_shows(
    manager: User, engine: ScriptedRunner, django_assert_max_num_queries: Any
) -> None:
    engine.script["check"] = [Outcome("succeeded")]
    process = publish(KINDS)
    release = start(process, manager)
    type(release).objects.filter(pk=release.pk).update(state="draft", started_at=None, snapshot=None)
    reader = Reader(manager)
    reader.open(page_of(release, "start/"))
    with django_assert_max_num_queries(17):
        reader.open(page_of(release, "start/"))
