"""The graph, the timeline, the wall and the runbook of a release."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.runners import Outcome
from releases.models import ActivityRun, Release, TaskRun
from tests.builders import phase_of, run_of
from tests.edges.pages import KINDS, Reader, page_of, plan, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db

#: one ──> two(inner: a subprocess of first ──> second) ──> three, which needs two and one
NESTED = """
kind: Process
id: inner
name: Inner
phases:
  - {id: first, name: First, owners: [group:qa], activities: [{id: x, name: Ex, manual: {instructions: "Do x."}}]}
  - {id: second, name: Second, owners: [group:qa], depends_on: [first], activities: [{id: y, wait: 1h}]}
---
kind: Process
id: outer
name: Outer
inputs: {password: {type: secret}, version: {type: string, default: "1.0"}}
phases:
  - {id: one, name: One, owners: [group:qa], activities: [
      {id: ask, name: Ask, manual: {instructions: "Ship ${{ inputs.version }}", tasks: [
        {id: t, name: Tell them, groups: [qa]}], approval: {rules: [{group: qa, count: 2}], four_eyes: false}}}]}
  - {id: two, name: Two, owners: [group:qa], depends_on: [one], activities: [
      {id: sub, name: Sub, subprocess: {process: inner}}]}
  - {id: three, name: Three, owners: [group:qa], depends_on: [one, two], activities: [
      {id: go, automated: {connection: scripted, pipeline: go, parameters: {V: "${{ inputs.version }}"}}}]}
---
kind: InputSet
id: usual-outer
name: Usual
process: outer
values: {inputs: {password: {secret: safe-word}}}
"""


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    """A release whose check is on hold, whose runbook waits for qa and whose cut waits for a signal."""
    engine.script["check"] = [failed()]
    return start(publish(KINDS), manager)


@pytest.fixture
def nested(engine: ScriptedRunner, manager: User) -> Release:
    """A draft of three phases, one of which holds a subprocess."""
    return plan(publish(NESTED), manager)


def sixty(count: int = 60) -> str:
    phases = "\n".join(
        f"  - {{id: p{n}, name: Phase {n}, owners: [group:qa], depends_on: [{f'p{n - 1}' if n else ''}], "
        f"activities: [{{id: a, wait: 1h}}, {{id: b, manual: {{instructions: Look.}}}}]}}"
        for n in range(count)
    )
    return f"kind: Process\nid: long-{count}\nname: Long\nphases:\n{phases}"


def nodes_of(reader: Reader) -> dict[str, list[str]]:
    """The graph's nodes by id, with what they need."""
    return {key: needs.split() for key, needs in re.findall(r'id="node-([^"]+)" data-needs="([^"]*)"', reader.source)}


# The graph ------------------------------------------------------------------------------------------------------------
def test_the_graph_shows_phases_and_opens_into_what_they_hold(nested: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(nested))
    nodes = nodes_of(reader)
    assert list(nodes.values()) == [[], [], ["node-1"], [], [], [], ["node-5"], [], ["node-1", "node-3"], []]
    assert "after One, Two" in reader.text


def test_once_it_runs_the_nodes_lead_to_the_phases_and_count(release: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(release))
    prepare = phase_of(release, "prepare")
    assert f'href="#phase-{prepare.pk}"' in reader.source
    assert f'id="phase-{prepare.pk}"' in reader.source
    assert f"phase-{prepare.pk}" in nodes_of(reader)
    assert "Prepare 0/2 done" in reader.text


def test_one_phase_is_not_drawn(engine: ScriptedRunner, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(plan(publish(sixty(1)), manager)))
    assert 'id="graph"' not in reader.source


def test_sixty_phases_are_drawn_small_and_large_ones_without_their_activities(
    engine: ScriptedRunner, manager: User
) -> None:
    reader = Reader(manager)
    reader.open(page_of(start(publish(sixty()), manager)))
    assert "is-dense" in reader.source
    assert len(nodes_of(reader)) == 60
    reader.open(page_of(start(publish(sixty(12)), manager)))
    assert "is-dense" not in reader.source
    assert len(nodes_of(reader)) == 36


# The timeline ---------------------------------------------------------------------------------------------------------
def test_the_timeline_has_a_line_for_everything(release: Release, manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(page_of(release, "timeline/"))
    assert "times in UTC" in text
    lines = re.findall(r'class="line is-(\w+)', reader.source)
    assert lines == ["running", "on_hold", "waiting", "running", "waiting", "pending"]
    assert text.count("On the critical path") >= 1
    assert f'data-live="release:{release.pk}"' in reader.source


def test_before_a_plan_there_is_nothing_to_draw_and_after_it_there_is(nested: Release, manager: User) -> None:
    reader = Reader(manager)
    assert "Nothing to draw yet" in reader.open(page_of(nested, "timeline/"))
    begins = timezone.now() + timedelta(days=1)
    Release.objects.filter(pk=nested.pk).update(planned_start_at=begins, planned_end_at=begins + timedelta(hours=4))
    text = reader.open(page_of(nested, "timeline/"))
    assert "Second" in text
    assert 'class="window"' in reader.source
    assert "planned 1h" not in text  # what is expected is the plan


def test_what_was_planned_is_shown_beside_what_happened(engine: ScriptedRunner, manager: User) -> None:
    release = start(publish(sixty(2)), manager)
    assert release.started_at
    ActivityRun.objects.filter(release=release, path="p0/a").update(
        state="succeeded", finished_at=release.started_at + timedelta(minutes=5)
    )
    assert "5m planned 1h" in Reader(manager).open(page_of(release, "timeline/"))


def test_the_timeline_marks_and_names_what_is_due_unless_that_is_far_away(release: Release, manager: User) -> None:
    reader, now = Reader(manager), timezone.now()
    reader.open(page_of(release, "timeline/"))
    assert 'class="mark"' not in reader.source
    ActivityRun.objects.filter(release=release, path="prepare/check").update(due_at=now - timedelta(seconds=1))
    ActivityRun.objects.filter(release=release, path="move/cut").update(due_at=now + timedelta(days=400))
    text = reader.open(page_of(release, "timeline/"))
    assert reader.source.count('class="mark"') == reader.source.count('class="due is-late" d=') == 1
    assert text.count("Overdue since") == 2  # in words, and when one points at the mark
    assert text.count(" Due ") == 1


def test_before_the_start_the_timeline_marks_what_is_due_by_the_plan(engine: ScriptedRunner, manager: User) -> None:
    due = NESTED.replace("{id: three,", '{id: three, due: "start +2h",')
    begins = timezone.now() + timedelta(days=1)
    draft = plan(publish(due), manager, planned_start_at=begins, planned_end_at=begins + timedelta(hours=4))
    reader = Reader(manager)
    reader.open(page_of(draft, "timeline/"))
    assert reader.source.count('class="mark"') == 1


def test_the_timeline_says_which_item_a_run_is_for(engine: ScriptedRunner, manager: User) -> None:
    each = sixty(1).replace("{id: a, wait: 1h}", "{id: a, for_each: \"${{ ['eu', 'us'] }}\", wait: 1h}")
    text = Reader(manager).open(page_of(start(publish(each), manager), "timeline/"))
    assert ("A eu" in text, "A us" in text) == (True, True)


# The wall -------------------------------------------------------------------------------------------------------------
def test_the_wall_says_how_it_stands_and_what_waits_for_whom(release: Release, manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(page_of(release, "wall/"))
    for words in (
        "Running",
        "On hold",
        "Expected end",
        "Prepare",
        "0/2 done",
        "Check",
        "Vendor",
        "Release started",
        "Phase Prepare started prepare",
    ):
        assert words in text
    assert f'data-live="release:{release.pk}"' in reader.source
    part = reader.open(page_of(release, "wall/"), HX_Request="true", HX_Target="div#live")
    assert "<html" not in reader.source
    assert "Prepare" in part


@pytest.mark.parametrize("part", ["values/", "events/", "outputs/", "changes/", "timeline/"])
def test_every_part_of_a_running_release_refreshes_itself(release: Release, manager: User, part: str) -> None:
    reader = Reader(manager)
    reader.open(page_of(release, part))
    assert f'data-live="release:{release.pk}" hx-get="{page_of(release, part)}"' in reader.source
    assert "vendor/htmx" in reader.source
    reader.open(page_of(release, part), HX_Request="true", HX_Target="div#live")
    assert "<html" not in reader.source
    assert f'data-live="release:{release.pk}"' in reader.source


def test_the_wall_of_a_long_release_shows_what_is_not_done(engine: ScriptedRunner, manager: User) -> None:
    release = start(publish(sixty()), manager)
    now = timezone.now()
    release.phase_runs.filter(node__lt=31).update(state="succeeded", started_at=now, finished_at=now)
    text = Reader(manager).open(page_of(release, "wall/"))
    assert "10 phases done" in text
    assert "and 22 more to come" in text


def test_the_wall_before_the_start_says_what_keeps_it(nested: Release, manager: User) -> None:
    text = Reader(manager).open(page_of(nested, "wall/"))
    assert "Planned start not planned" in text
    assert "It is a draft" in text


# The runbook ----------------------------------------------------------------------------------------------------------
def test_the_runbook_tells_everything_in_order(nested: Release, manager: User, owner: User) -> None:
    text = Reader(manager).open(page_of(nested, "runbook/"))
    assert "owner <owner@example.com>" in text
    assert "secret safe-word" in text
    order = ("1. One", "1.1 Ask", "2. Two", "2.1.1 First", "2.1.1.1 Ex", "3. Three", "3.1 Go")
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    for words in ("Ship 1.0", "Tell them (qa)", "Signs off: 2 of qa", "Do x.", "pipeline go", '{"V": "1.0"}', "Draft"):
        assert words in text


def test_it_tells_how_things_stand(release: Release, manager: User) -> None:
    task = TaskRun.objects.get(activity_run=run_of(release, "prepare/runbook"))
    task.done_at, task.done_by_name = timezone.now(), "owner"
    task.save()
    reader = Reader(manager)
    text = reader.open(page_of(release, "runbook/"))
    assert "Look at it (qa): done by owner" in text
    assert "On hold" in text
    assert "limit 10" in text
    assert "lasts:" in text
    due = timezone.now() + timedelta(days=3)
    ActivityRun.objects.filter(release=release, path="prepare/check").update(due_at=due)
    assert f", due {due.day} {due:%b}" in reader.open(page_of(release, "runbook/"))
    assert "<script>alert" not in reader.source


def test_it_can_be_kept_as_one_file_that_needs_nothing_else(release: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(release, "runbook/?file"))
    assert reader.headers["Content-Disposition"] == f'attachment; filename="runbook-spring-123-{release.pk}.html"'
    assert ".runbook" in reader.source
    assert not re.search(r"<(script|link|img|svg)\b|url\(|<script", reader.source)


def test_items_of_a_loop_are_entries_of_their_own(engine: ScriptedRunner, manager: User) -> None:
    text = """
kind: Process
id: loop
name: Loop
phases:
  - {id: all, name: All, owners: [group:qa], activities: [
      {id: each, name: Each, for_each: "${{ ['eu', 'us'] }}",
       automated: {connection: scripted, pipeline: one, parameters: {R: "${{ item }}"}}}]}
"""
    engine.script["one"] = [Outcome("succeeded"), Outcome("succeeded")]
    process = publish(text)
    before = Reader(manager).open(page_of(plan(process, manager), "runbook/"))
    assert "for each" in before
    after = Reader(manager).open(page_of(start(process, manager), "runbook/"))
    assert "Each: eu" in after
    assert '{"R": "us"}' in after
