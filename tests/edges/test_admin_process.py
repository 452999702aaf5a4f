"""An author works on a process in the admin: its fields, its phases and activities, check, publish, compare, delete."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group, User

from config.models import Event
from processes import drafts
from processes.models import Phase, PhaseActivity, Process
from processes.services import apply
from tests.edges.desk import Desk, staff
from tests.edges.process_desk import NOW, ODD, open_phase, open_process, phase, process

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(multi_service: None, author: User, groups: dict[str, Group]) -> Desk:
    """The author's."""
    apply(None, ODD, now=NOW)
    return Desk(staff(author))


@pytest.mark.parametrize("slug", ["multi-service-release", "security-review", "odd"])
def test_saving_what_nobody_touched_changes_nothing(desk: Desk, slug: str) -> None:
    before, version, events = drafts.load(process(slug)), process(slug).version, Event.objects.count()

    open_process(desk, slug).save()
    assert desk.first_status == 302, desk.text
    for one in process(slug).phases.all():
        open_phase(desk, one.slug, slug).save()
        assert desk.first_status == 302, desk.text

    assert drafts.load(process(slug)) == before
    assert process(slug).version == version
    assert Event.objects.count() == events


def test_an_author_makes_a_process_with_phases_and_activities(desk: Desk) -> None:
    desk.open("processes_process_add").save(
        slug="hotfix",
        name="Hotfix",
        inputs="version: {type: string, required: true}",
        phases__TOTAL_FORMS="2",
        phases__0__slug="build",
        phases__0__name="Build",
        phases__0__owners=["group:development"],
        phases__1__slug="ship",
        phases__1__name="Ship",
        phases__1__depends_on=["build"],
    )
    assert desk.first_status == 302, desk.text
    open_phase(desk, "build", "hotfix").save(
        activities__TOTAL_FORMS="2",
        activities__0__slug="compile",
        activities__0__rest="wait: 1h",
        activities__1__slug="test",
        activities__1__depends_on=["compile"],
        activities__1__rest="wait: 2h\ntimeout: 3h",
    )
    assert desk.first_status == 302, desk.text

    assert drafts.load(process("hotfix")) == {
        "kind": "Process",
        "id": "hotfix",
        "name": "Hotfix",
        "inputs": {"version": {"type": "string", "required": True}},
        "phases": [
            {
                "id": "build",
                "name": "Build",
                "owners": ["group:development"],
                "activities": [
                    {"id": "compile", "wait": "1h"},
                    {"id": "test", "depends_on": ["compile"], "wait": "2h", "timeout": "3h"},
                ],
            },
            {"id": "ship", "name": "Ship", "depends_on": ["build"]},
        ],
    }
    assert process("hotfix").version == 2
    told = Event.objects.filter(subject_type="process", subject_name="Hotfix")
    assert list(told.values_list("verb", "actor_name")) == [
        ("process.drafted", "author"),
        ("process.changed", "author"),
    ]


def test_phases_keep_the_order_they_were_dragged_to_and_new_ones_come_last(desk: Desk) -> None:
    open_process(desk).save(
        phases__0__position="1",
        phases__1__position="0",
        phases__TOTAL_FORMS="8",
        phases__7__slug="last",
        phases__7__name="Last",
    )

    slugs = list(process().phases.values_list("slug", flat=True))
    assert slugs[:3] == ["build", "planning", "validation"]
    assert slugs[-1] == "last"
    assert list(process().phases.values_list("position", flat=True)) == list(range(8))


def test_a_phase_that_is_deleted_goes_with_its_activities(desk: Desk) -> None:
    open_process(desk).save(phases__6__DELETE="on")

    assert not Phase.objects.filter(process=process(), slug="wrap-up").exists()
    assert not PhaseActivity.objects.filter(phase__process=process(), slug="roll-back").exists()
    assert process().version == 2


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("inputs", "version: {type: strong}", "inputs.version"),
        ("inputs", "version: [", "This is not valid YAML"),
        ("inputs", "just words", "Write a mapping"),
        ("inputs", "a: 1\n---\nb: 2", "without '---'"),
        ("inputs", "a: 1\na: 2", "given twice"),
        ("roles", "manager: {team: x}", "roles.manager.team"),
        ("outputs", "'not a name!': x", "is not a name"),
        ("phases-0-slug", "Not A Slug", "lower-case letters"),
        ("phases-0-slug", "build", "duplicate"),
        ("phases-0-owners", ["nobody"], "is not an owner"),
        ("phases-1-depends_on", ["Not A Slug"], "is not an id"),
        ("phases-0-name", "", "This field is required"),
        ("phases-0-name", "x" * 300, "200"),
        ("name", "nul\0character", "Null characters"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_typed_is_lost(desk: Desk, field: str, typed: Any, told: str) -> None:
    before = drafts.load(process())

    open_process(desk).save(**{"description": "Typed before", field: typed})

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["description"] == "Typed before"
    assert desk.form[field] == typed
    assert drafts.load(process()) == before


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("when", "x" * 5_000, "4000"),
        ("rest", "retry: {attempts: 3}", "'retry' is not supported. Set it on the phase's activities."),
        ("rest", "when: 1 == 1", "has a field of its own"),
        ("activities-0-rest", "manual: {tasks: [{name: x}]}", "manual.tasks[0].id"),
        ("activities-0-rest", "nonsense: 1", "'nonsense' is not a known key here"),
        ("activities-0-rest", "timeout: soon", "timeout"),
        ("activities-0-rest", "depends_on: [x]", "has a field of its own"),
        ("activities-0-given", "- 1", "Write a mapping"),
        ("activities-0-depends_on", ["no such thing!"], "is not a dependency"),
        ("activities-0-slug", "", "This field is required"),
        ("activities-0-pinned_revision", "-1", "greater than or equal"),
    ],
)
def test_a_phase_s_faults_stand_beside_its_fields(desk: Desk, field: str, typed: str, told: str) -> None:
    before = drafts.load(process())

    open_phase(desk, "planning").save(**{"description": "Typed before", field: typed})

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["description"] == "Typed before"
    assert desk.form[field] == typed
    assert drafts.load(process()) == before


def test_an_activity_is_taken_from_the_store_with_its_values_and_its_pin(desk: Desk) -> None:
    from_store = PhaseActivity.objects.get(phase=phase("build"), slug="cart").activity
    assert from_store is not None
    open_phase(desk, "planning").save(
        activities__TOTAL_FORMS="2",
        activities__1__slug="pack",
        activities__1__name="Pack",
        activities__1__activity=str(from_store.pk),
        activities__1__pinned_revision="1",
        activities__1__given="service: cart\nversion: ${{ inputs.version }}",
        activities__1__when="${{ inputs.flag != '' }}",
        activities__1__rest="timeout: 5m",
    )
    assert desk.first_status == 302, desk.text

    assert drafts.load(process())["phases"][0]["activities"][1] == {
        "id": "pack",
        "name": "Pack",
        "activity": "build-service@1",
        "with": {"service": "cart", "version": "${{ inputs.version }}"},
        "when": "${{ inputs.flag != '' }}",
        "timeout": "5m",
    }


def test_an_activity_is_not_both_from_the_store_and_a_subprocess(desk: Desk) -> None:
    open_phase(desk, "build").save(activities__0__subprocess=str(process("security-review").pk))

    assert "not both" in desk.text
    assert desk.status == 200


def test_the_values_of_a_subprocess_stay_where_they_were_written(desk: Desk) -> None:
    open_phase(desk, "b", "odd").save(activities__1__given="list: [z]")

    two = drafts.load(process("odd"))["phases"][1]["activities"][1]
    assert two["subprocess"] == {"process": "odd", "with": {"list": ["z"]}}
    assert "with" not in two


def test_two_authors_at_once_the_second_is_told_and_keeps_what_was_typed(desk: Desk) -> None:
    form = open_process(desk).form
    Desk(User.objects.get(username="author")).open("processes_process_change", process().pk).save(name="First")

    desk.send({**form, "name": "Second", "inputs": "mine: {type: string}"})

    assert "was edited meanwhile" in desk.text
    assert desk.form["name"] == "Second"
    assert desk.form["inputs"] == "mine: {type: string}"
    assert process().name == "First"


def test_the_check_lists_every_fault_with_its_place_and_publish_refuses(desk: Desk) -> None:
    broken = "kind: Process\nid: hotfix\nname: Hotfix\nphases: [{id: a, name: A, depends_on: [b]}, {id: c, name: C}]\n"
    apply(None, broken, now=NOW)
    pk = process("hotfix").pk

    desk.open("processes_process_check_draft", pk)
    assert "phases[0].depends_on" in desk.text
    assert "to mend before" in desk.text
    desk.open("processes_process_publish", pk).send({"reason": "try"})

    assert desk.first_status == 400
    assert not process("hotfix").revisions.exists()


def test_an_author_publishes_and_compares(desk: Desk) -> None:
    open_process(desk).save(description="Now with more care.")
    desk.open("processes_process_compare", process().pk)
    assert "1 change" in desk.text
    assert "Now with more care." in desk.text

    desk.open("processes_process_publish", process().pk)
    assert "Publish as revision 2" in desk.text
    desk.send({"reason": "Care"})

    assert "Revision 2 was published." in desk.text
    assert Event.objects.get(verb="process.published", reason="Care").actor_name == "author"
    desk.open("processes_process_publish", process().pk).send({})
    assert "says this already" in desk.text
    desk.open(f"/admin/processes/process/{process().pk}/compare/?old=1&new=2")
    assert "1 change" in desk.text
    assert desk.open(f"/admin/processes/process/{process().pk}/compare/?old=9").status == 404
    desk.open("processes_process_revisions", process().pk)
    assert desk.open("processes_processrevision_change", process().revisions.earliest("number").pk).status == 200
    assert "multi-service-release" in desk.text


def test_a_look_at_publish_publishes_nothing(desk: Desk) -> None:
    open_process(desk).save(description="Changed")
    desk.open("processes_process_publish", process().pk)

    assert process().revisions.count() == 1


def test_the_exported_text_is_the_document(desk: Desk) -> None:
    desk.open("processes_process_export", process().pk)

    assert yaml.safe_load(desk.source)["id"] == "multi-service-release"
    assert desk.headers["Content-Disposition"] == 'attachment; filename="multi-service-release.yaml"'


def test_the_draft_is_edited_as_one_text(desk: Desk) -> None:
    pk = process("odd").pk
    desk.open("processes_process_edit_text", pk)
    text = desk.form["text"]

    desk.save(text=text.replace("name: Odd", "name: Even"))
    assert process("odd").name == "Even"
    desk.open("processes_process_edit_text", pk).save(text=text.replace("id: odd", "id: other"))
    assert "stay as they are" in desk.text
    desk.open("processes_process_edit_text", pk).save(text=text + "nonsense: 1\n")
    assert "'nonsense' is not a known key" in desk.text
    assert "nonsense: 1" in desk.form["text"]
    desk.open("processes_process_edit_text", pk).save(text=text, seen="1")
    assert "edited meanwhile" in desk.text
    assert process("odd").name == "Even"


def test_who_uses_a_process_is_listed_and_keeps_it(desk: Desk) -> None:
    pk = process("security-review").pk
    assert "Process 'multi-service-release'" in desk.open("processes_process_used_by", pk).text

    desk.open("processes_process_delete", pk)
    assert "cannot be deleted" in desk.text
    assert "validation.security" in desk.text
    desk.send({"post": "yes"})
    desk.open("processes_process_changelist").send(
        {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    )
    assert "used by" in desk.text

    assert Process.objects.filter(pk=pk).exists()


def test_a_process_that_nothing_uses_is_deleted_with_its_event(desk: Desk) -> None:
    plain = "kind: Process\nid: {0}\nname: {0}\nphases: []\n"
    apply(None, plain.format("one") + "---\n" + plain.format("two"), now=NOW)

    desk.open("processes_process_delete", process("one").pk)
    assert "Delete the process" in desk.text
    desk.send({"post": "yes"})
    pk = process("two").pk
    chosen = {"action": "delete_selected", "_selected_action": [pk], "index": "0"}
    desk.open("processes_process_changelist").send(chosen)
    assert "Delete the selected" in desk.text
    desk.save()

    assert not Process.objects.filter(slug__in=["one", "two"]).exists()
    assert Event.objects.filter(verb="process.deleted", actor_name="author").count() == 2
