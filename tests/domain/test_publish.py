"""Publishing: a draft becomes a numbered revision that nothing changes any more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from config.errors import InvalidInput, NotFound, NotPermitted
from config.models import Event
from processes.expansion import expand
from processes.models import Process, ProcessRevision
from processes.services import (
    apply,
    check_draft,
    diff_revisions,
    draft_differs,
    latest_revision,
    note_edit,
    publish_process,
)
from processes.services.saving import export_process
from processes.store import DatabaseCatalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MULTI = (Path(__file__).parent.parent.parent / "docs" / "examples" / "multi-service-release.yaml").read_text()

# only(first ──> second)
TWO = """
kind: Process
id: two
name: Two
inputs: {version: {type: string}}
phases:
  - id: only
    name: Only
    activities:
      - {id: first, manual: {instructions: "Do ${{ inputs.version }}."}}
      - {id: second, manual: {instructions: Go on.}, depends_on: [first]}
"""


def test_a_revision_is_numbered_digested_signed_and_told_of_once(author: User) -> None:
    process = _applied(TWO)

    first = publish_process(author, process, now=NOW)
    again = publish_process(author, process, now=NOW)

    assert (first.revision.number, first.is_new, first.revision.published_by_name) == (1, True, "author")
    assert (again.revision, again.is_new) == (first.revision, False)
    assert Event.objects.filter(verb="process.published").count() == 1
    assert Event.objects.get(verb="process.published").after == {"revision": 1, "digest": first.revision.digest}


def test_a_change_and_its_undoing_are_two_more_revisions() -> None:
    process = _applied(TWO)
    publish_process(None, process, now=NOW)
    _applied(TWO.replace("Go on.", "Stop."))
    assert draft_differs(process)
    assert publish_process(None, process, now=NOW).revision.number == 2
    _applied(TWO)

    third = publish_process(None, process, now=NOW).revision

    assert third.number == 3
    assert third.digest == process.revisions.get(number=1).digest
    assert not draft_differs(process)


def test_the_database_refuses_to_change_or_remove_a_revision() -> None:
    revision = publish_process(None, _applied(TWO), now=NOW).revision

    with pytest.raises(ProgrammingError), transaction.atomic():
        ProcessRevision.objects.filter(pk=revision.pk).update(document={})
    with pytest.raises(ProgrammingError), transaction.atomic():
        ProcessRevision.objects.filter(pk=revision.pk).delete()


def test_every_fault_of_a_draft_is_named_and_nothing_is_published() -> None:
    process = _applied(TWO.replace("inputs.version }}", "inputs.versoin }}").replace("[first]", "[frist]"))

    with pytest.raises(InvalidInput) as raised:
        publish_process(None, process, now=NOW)

    faults = {fault.path: fault.cure for fault in raised.value.faults}
    assert "version" in faults["phases[0].activities[0].manual.instructions"]
    assert "first" in faults["phases[0].activities[1].depends_on[0]"]
    assert tuple(raised.value.faults) == check_draft(process).faults
    assert latest_revision(process) is None


def test_missing_people_are_warnings_that_come_with_the_revision() -> None:
    process = _applied(TWO.replace("name: Only", "name: Only\n    owners: [group:nobody]"))

    publication = publish_process(None, process, now=NOW)

    assert publication.revision.number == 1
    assert any("nobody" in str(warning) for warning in publication.warnings)


def test_a_revision_knows_which_activities_and_processes_it_uses(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW, publish=True)

    revision = ProcessRevision.objects.get(process__slug="multi-service-release")

    assert set(revision.uses_activities.values_list("slug", flat=True)) == {
        "build-service", "run-tests", "deploy-service", "sign-off", "set-flag"
    }  # fmt: skip
    assert list(revision.uses_processes.values_list("slug", flat=True)) == ["security-review"]


def test_an_unpublished_subprocess_keeps_its_user_from_being_published(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW)

    with pytest.raises(InvalidInput) as raised:
        publish_process(None, Process.objects.get(slug="multi-service-release"), now=NOW)

    assert "security-review" in str(raised.value)


def test_the_published_example_expands_in_few_queries(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW, publish=True)
    revision = ProcessRevision.objects.get(process__slug="multi-service-release")

    with CaptureQueriesContext(connection) as queries:
        catalogue = DatabaseCatalogue()
        catalogue.warm([revision.document])
        tree = expand(revision.document, revision.number, catalogue)

    assert len(queries) == 2  # the activities and the processes it names; the subprocess names no others
    assert tree["pins"]["processes"] == {"security-review": 1}


def test_a_pin_keeps_the_old_revision_and_no_pin_follows_the_latest(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW, publish=True)
    apply(None, MULTI.replace("name: Sign off", "name: Sign it off"), now=NOW, publish=True)
    catalogue = DatabaseCatalogue()

    pinned, latest = catalogue.activity("sign-off", 1), catalogue.activity("sign-off")

    assert pinned is not None
    assert latest is not None
    assert (pinned.revision, pinned.document["name"]) == (1, "Sign off")
    assert (latest.revision, latest.document["name"]) == (2, "Sign it off")
    assert catalogue.activity("sign-off", 3) is None
    assert catalogue.activity("sign-of") is None


def test_the_difference_between_revisions_and_to_the_draft_is_told() -> None:
    process = _applied(TWO)
    publish_process(None, process, now=NOW)
    _applied(TWO.replace("Go on.", "Stop."))

    changes = diff_revisions(process, 1, None)

    assert [(change.path, change.before, change.after) for change in changes] == [
        ("phases.only.activities.second.manual.instructions", "Go on.", "Stop.")
    ]
    assert diff_revisions(process, 1, 1) == []
    with pytest.raises(NotFound):
        diff_revisions(process, 1, 2)


def test_publishing_needs_its_own_permission_held_anywhere_or_on_the_process(stranger: User) -> None:
    process = _applied(TWO)
    assign_perm("processes.change_process", stranger, process)
    with pytest.raises(NotPermitted):
        publish_process(User.objects.get(pk=stranger.pk), process, now=NOW)

    assign_perm("processes.publish_process", stranger, process)

    assert publish_process(User.objects.get(pk=stranger.pk), process, now=NOW).is_new


def test_an_editor_that_changes_rows_notes_its_edit_once(author: User) -> None:
    process = _applied(TWO)
    before = export_process(process)
    process.name = "Renamed"

    assert note_edit(author, process, before, now=NOW)
    assert not note_edit(author, process, export_process(process), now=NOW)

    assert Process.objects.get().version == 2
    assert Event.objects.filter(verb="process.changed", actor_name="author").count() == 1


def _applied(text: str) -> Process:
    done = apply(None, text, now=NOW)
    return Process.objects.get(slug=done[-1].id)
