"""Applying documents to a real database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.models import Activity, Connection
from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from processes.models import InputSet, Phase, PhaseActivity, Process, ProcessRevision, Resource
from processes.services import apply, document_of, draft_differs, export, save_process
from releases.models import Freeze, ReleaseGroup

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
MULTI = (EXAMPLES / "multi-service-release.yaml").read_text()
TRAIN = (EXAMPLES / "system-train.yaml").read_text()

# plan ──> build(compile ──> pack)
SMALL = """
kind: Process
id: small
name: Small
inputs:
  version: {type: string, required: true}
phases:
  - id: plan
    name: Plan
    activities:
      - {id: agree, manual: {instructions: Agree.}}
  - id: build
    name: Build
    owners: [group:development]
    depends_on: [plan]
    activities:
      - {id: compile, manual: {instructions: Compile it.}}
      - {id: pack, manual: {instructions: Pack it.}, depends_on: [compile]}
"""


def test_the_examples_apply_and_their_second_time_changes_nothing(groups: dict[str, Group]) -> None:
    for text in (MULTI, TRAIN):
        first = apply(None, text, now=NOW)
        assert {one.result for one in first} == {"created"}
        events = Event.objects.count()
        assert {one.result for one in apply(None, text, now=NOW)} == {"unchanged"}
        assert Event.objects.count() == events

    assert Process.objects.get(slug="multi-service-release").version == 1
    assert set(Phase.objects.filter(process__slug="system-train").values_list("slug", flat=True)) >= {"cut", "wave-2"}
    assert InputSet.objects.get().process.slug == "multi-service-release"
    assert ReleaseGroup.objects.count() == 2
    assert Freeze.objects.get().body["scope"]["tags"] == ["deployment"]


def test_documents_are_answered_in_their_own_order_whatever_the_order_of_applying(groups: dict[str, Group]) -> None:
    parts = MULTI.split("\n---\n")
    done = apply(None, "\n---\n".join(reversed(parts)), now=NOW)

    assert done[0].kind == "Freeze"
    assert done[-1].kind == "Connection"


def test_publishing_along_makes_first_revisions_and_then_no_more(groups: dict[str, Group]) -> None:
    first = apply(None, MULTI, now=NOW, publish=True)
    again = apply(None, MULTI, now=NOW, publish=True)

    revisions = {one.id: one.revision for one in first if one.revision}
    assert revisions["multi-service-release"] == revisions["security-review"] == revisions["sign-off"] == 1
    assert {one.result for one in again} == {"unchanged"}
    assert {one.id: one.revision for one in again if one.revision} == revisions
    assert ProcessRevision.objects.count() == 2


def test_a_change_to_a_published_process_makes_a_new_draft_while_its_revision_stays() -> None:
    apply(None, SMALL, now=NOW, publish=True)
    process = Process.objects.get()
    assert not draft_differs(process)

    done = apply(None, SMALL.replace("Compile it.", "Compile it twice."), now=NOW)

    assert [one.result for one in done] == ["changed"]
    assert draft_differs(process)
    assert "twice" not in str(document_of(process, 1))
    assert "twice" in str(document_of(process, None))
    assert Process.objects.get().version == 2


def test_rows_keep_their_ids_when_their_neighbours_change() -> None:
    apply(None, SMALL, now=NOW)
    before = dict(PhaseActivity.objects.values_list("slug", "pk"))
    renamed = SMALL.replace("{id: compile,", "{id: translate,").replace("[compile]", "[translate]")

    apply(None, renamed, now=NOW)

    after = dict(PhaseActivity.objects.values_list("slug", "pk"))
    assert after["pack"] == before["pack"]
    assert after["agree"] == before["agree"]
    assert "compile" not in after


def test_an_unchanged_process_costs_a_handful_of_queries(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW)
    document = document_of(Process.objects.get(slug="multi-service-release"), None)

    with CaptureQueriesContext(connection) as queries:
        save_process(None, document, now=NOW)

    assert len(queries) <= 8


def test_all_structural_faults_come_at_once_and_nothing_is_written() -> None:
    text = SMALL.replace("name: Small", "nam: Small") + "---\nkind: Resource\nid: Cart\nname: Cart\ntype: servce\n"

    with pytest.raises(InvalidInput) as raised:
        apply(None, text, now=NOW)

    paths = {fault.path for fault in raised.value.faults}
    assert {"Process small: nam", "Resource Cart: id", "Resource Cart: type"} <= paths
    assert not Process.objects.exists()
    assert not Resource.objects.exists()
    assert not Event.objects.exists()


def test_all_references_to_nothing_come_at_once_with_a_cure_and_nothing_is_written(groups: dict[str, Group]) -> None:
    text = (
        MULTI.replace("process: multi-service-release\nvalues", "process: multi-service-releas\nvalues")
        .replace("activity: build-service, with: {service: cart", "activity: build-servce, with: {service: cart")
        .replace("environments: [production]", "environments: [produktion]")
    )

    with pytest.raises(InvalidInput) as raised:
        apply(None, text, now=NOW)

    faults = {fault.path: fault for fault in raised.value.faults}
    wrong = faults["Process multi-service-release: phases[1].activities[0].activity"]
    assert "build-service" in wrong.cure
    assert "multi-service-release" in faults["InputSet production: process"].cure
    assert "Did you mean production?" in faults["Freeze year-end: scope.environments[0]"].cure
    assert not Connection.objects.exists()
    assert not Process.objects.exists()


def test_faults_found_while_publishing_take_everything_back() -> None:
    text = SMALL.replace("depends_on: [compile]", "depends_on: [nothing]")

    with pytest.raises(InvalidInput) as raised:
        apply(None, text, now=NOW, publish=True)

    assert [fault.path for fault in raised.value.faults] == ["phases[1].activities[1].depends_on[0]"]
    assert not Process.objects.exists()


def test_a_draft_may_be_imperfect_as_long_as_it_can_be_kept() -> None:
    apply(None, SMALL.replace("depends_on: [compile]", "depends_on: [nothing]"), now=NOW)

    assert PhaseActivity.objects.get(slug="pack").depends_on == ["nothing"]


def test_the_same_id_twice_is_refused_with_both_places() -> None:
    with pytest.raises(InvalidInput) as raised:
        apply(None, SMALL.replace("id: pack", "id: compile"), now=NOW)

    assert [fault.path for fault in raised.value.faults] == ["phases[1].activities[1].id"]


def test_processes_of_one_file_may_call_each_other_in_any_order() -> None:
    # outer(run ──calls──> inner), outer stands first in the file
    outer, inner = _calling("outer", "subprocess: inner"), _calling("inner", "manual: {instructions: Do it.}")

    done = apply(None, f"{outer}---\n{inner}", now=NOW, publish=True)

    assert [(one.result, one.revision) for one in done] == [("created", 1), ("created", 1)]


def test_processes_that_call_each_other_in_a_circle_are_drafts_but_never_published() -> None:
    # one ──> two ──> one
    text = f"{_calling('one', 'subprocess: two')}---\n{_calling('two', 'subprocess: one')}"
    assert [done.result for done in apply(None, text, now=NOW)] == ["created", "created"]

    with pytest.raises(InvalidInput) as raised:
        apply(None, text, now=NOW, publish=True)

    assert "calls itself" in str(raised.value)
    assert not ProcessRevision.objects.exists()


def test_groups_that_derive_from_later_ones_are_applied_too(groups: dict[str, Group]) -> None:
    derived = """---
kind: ReleaseGroup
id: a-shadow
name: Shadow
process: small
cadence: {derive: {group: b-monthly, offsets: ["-1 WE"]}, timezone: Europe/Berlin}
---
kind: ReleaseGroup
id: b-monthly
name: Monthly
process: small
cadence: {rrule: FREQ=MONTHLY;BYMONTHDAY=1, start: 2026-01-01T09:00, timezone: Europe/Berlin, duration: 1d}
"""
    done = apply(None, SMALL + derived, now=NOW)

    assert [one.result for one in done] == ["created"] * 3


def test_a_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    done = apply(None, SMALL, now=NOW, publish=True, dry_run=True)

    assert [(one.result, one.revision) for one in done] == [("created", 1)]
    assert not Process.objects.exists()
    assert not Event.objects.exists()


def test_every_change_leaves_one_event_with_its_actor_and_no_document(author: User) -> None:
    apply(author, SMALL, now=NOW)
    apply(author, SMALL.replace("name: Small", "name: Smaller"), now=NOW, publish=True)

    events = list(Event.objects.values_list("verb", "actor_name", "at"))
    assert events == [(verb, "author", NOW) for verb in ("process.drafted", "process.changed", "process.published")]
    assert set(Event.objects.get(verb="process.changed").after or ()) == {"version", "digest"}


def test_a_stranger_applies_nothing_and_a_holder_of_one_process_changes_only_that(stranger: User, author: User) -> None:
    with pytest.raises(NotPermitted):
        apply(stranger, SMALL, now=NOW)
    assert not Process.objects.exists()

    apply(author, SMALL, now=NOW)
    with pytest.raises(NotPermitted):
        apply(stranger, SMALL, now=NOW)
    with pytest.raises(NotPermitted):
        apply(
            author,
            "kind: Freeze\nid: f\nname: F\nscope: {everything: true}\n"
            "window: {start: 2026-01-01T00:00, timezone: UTC, duration: 1d}\n",
            now=NOW,
        )


def test_who_may_not_start_a_process_may_not_let_a_group_start_it(manager: User, author: User) -> None:
    apply(author, SMALL, now=NOW)
    group = "kind: ReleaseGroup\nid: g\nname: G\nprocess: small\n"
    manager.user_permissions.clear()
    manager.user_permissions.add(*_permissions("add_releasegroup", "change_releasegroup"))

    with pytest.raises(NotPermitted):
        apply(User.objects.get(pk=manager.pk), group, now=NOW)

    manager.user_permissions.add(*_permissions("start_process"))
    assert apply(User.objects.get(pk=manager.pk), group, now=NOW)[0].result == "created"


def test_an_edit_of_an_old_version_is_stale_and_a_second_creation_finds_the_first() -> None:
    save_process(None, _document(), now=NOW, expected_version=0)
    save_process(None, {**_document(), "name": "Other"}, now=NOW, expected_version=1)

    with pytest.raises(Conflict) as stale:
        save_process(None, {**_document(), "name": "Third"}, now=NOW, expected_version=1)
    with pytest.raises(Conflict) as exists:
        save_process(None, _document(), now=NOW, expected_version=0)

    assert (stale.value.code, exists.value.code) == ("stale", "exists")
    assert Process.objects.get().name == "Other"


def test_a_reference_may_be_pinned_and_a_store_activity_keeps_its_placements(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW, publish=True)
    apply(None, MULTI.replace("activity: sign-off, depends_on", "activity: sign-off@1, depends_on"), now=NOW)

    placed = PhaseActivity.objects.get(slug="qa-sign-off")
    assert (placed.activity, placed.pinned_revision) == (Activity.objects.get(slug="sign-off"), 1)
    assert "sign-off@1" in export(None, [("Process", "multi-service-release")])


def _calling(slug: str, activity: str) -> str:
    phase = f"{{id: only, name: Only, activities: [{{id: run, {activity}}}]}}"
    return f"kind: Process\nid: {slug}\nname: {slug}\nphases:\n  - {phase}\n"


def _document() -> dict[str, object]:
    phases = [{"id": "only", "name": "Only", "activities": [{"id": "do", "manual": {"instructions": "Do it."}}]}]
    return {"kind": "Process", "id": "tiny", "name": "Tiny", "phases": phases}


def _permissions(*names: str) -> list[Permission]:

    return list(Permission.objects.filter(codename__in=names))
