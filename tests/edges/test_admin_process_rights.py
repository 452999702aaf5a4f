"""Who may do what with processes in the admin: authors of one of them, readers, strangers."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm

from processes import drafts
from processes.models import PhaseActivity
from processes.services import apply
from tests.edges.desk import Desk, staff
from tests.edges.process_desk import NOW, ODD, open_phase, open_process, phase, process

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(multi_service: None, author: User, groups: dict[str, Group]) -> Desk:
    """The author's."""
    apply(None, ODD, now=NOW)
    return Desk(staff(author))


def test_an_author_of_one_process_edits_it_and_no_other(desk: Desk, stranger: User) -> None:
    for verb in ("view", "change"):
        assign_perm(f"{verb}_process", stranger, process("odd"))
    theirs = Desk(staff(stranger))

    open_process(theirs, "odd").save(description="By a stranger")
    open_phase(theirs, "b", "odd").save(activities__0__rest="wait: 3h")

    assert process("odd").description == "By a stranger"
    assert drafts.load(process("odd"))["phases"][1]["activities"][0]["wait"] == "3h"
    assert open_process(theirs).status == 404
    assert open_phase(theirs, "build").status == 403
    other = {"action": "delete_selected", "_selected_action": [process().pk], "post": "yes"}
    theirs.open("processes_process_changelist").send(other)
    assert process().name == "Multi-service release"


def test_what_an_author_may_not_see_cannot_be_chosen(desk: Desk, stranger: User) -> None:
    hidden = PhaseActivity.objects.get(phase=phase("build"), slug="cart").activity
    assert hidden is not None
    for verb in ("view", "change"):
        assign_perm(f"{verb}_process", stranger, process("odd"))
    theirs = Desk(staff(stranger))

    open_phase(theirs, "b", "odd").save(activities__0__activity=str(hidden.pk))

    assert "Select a valid choice" in theirs.text
    query = "/admin/autocomplete/?app_label=processes&model_name=phaseactivity&field_name=activity"
    assert theirs.open(query).status == 403


def test_a_reader_sees_the_draft_and_changes_nothing(desk: Desk, stranger: User) -> None:
    reader = Desk(staff(stranger, "processes.view_process"))

    assert "fail_fast" in open_process(reader, "odd").text
    assert "_save" not in reader.source
    assert "wait: 1h" in open_phase(reader, "b", "odd").text
    for at in ("process", "phase"):
        reader.address = (
            f"/admin/processes/{at}/{(process('odd') if at == 'process' else phase('b', 'odd')).pk}/change/"
        )
        reader.send({"name": "Mine now", "slug": "odd"})
        assert reader.first_status == 403
    assert desk.open("processes_process_history", process().pk).status == 200


def test_owners_are_suggested_to_those_who_edit_processes(desk: Desk, stranger: User) -> None:
    assert "group:qa" in desk.open("/admin/processes/process/owners/?term=q").source
    assert "user:author" in desk.open("/admin/processes/process/owners/?term=user:auth").source
    assert desk.open("/admin/processes/process/owners/?term=%00&process=%00").status == 200
    apply(None, "kind: Process\nid: led\nname: Led\nroles: {lead: {group: qa}}\nphases: []\n", now=NOW)
    led = f"/admin/processes/process/owners/?process={process('led').pk}&term="
    assert "role:lead" in desk.open(led).source
    assert Desk(staff(stranger)).open("/admin/processes/process/owners/?term=q").status == 403
    for verb in ("view", "change"):
        assign_perm(f"{verb}_process", stranger, process("odd"))
    assert "role:lead" not in Desk(staff(stranger)).open(led).source
