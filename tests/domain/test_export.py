"""What is exported is what was applied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import InvalidInput, NotFound
from processes import drafts
from processes.document import canonical, load
from processes.models import Phase, Process
from processes.services import apply, export, save_process

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


@pytest.mark.parametrize("name", ["multi-service-release", "system-train"])
def test_an_example_comes_back_as_it_was_and_applies_as_unchanged(name: str, groups: dict[str, Group]) -> None:
    text = (EXAMPLES / f"{name}.yaml").read_text()
    apply(None, text, now=NOW)

    exported = export(None)

    assert _by_id(load(exported)) == _by_id(load(text))
    assert {one.result for one in apply(None, exported, now=NOW)} == {"unchanged"}


def test_an_export_stands_in_the_order_in_which_it_can_be_applied(groups: dict[str, Group]) -> None:
    apply(None, (EXAMPLES / "multi-service-release.yaml").read_text(), now=NOW)

    kinds = [document["kind"] for document in load(export(None))]

    order = ["Connection", "Resource", "Activity", "Process", "InputSet", "ReleaseGroup", "Freeze"]
    assert kinds == sorted(kinds, key=order.index)


def test_chosen_documents_come_alone_and_unknown_ones_are_told(groups: dict[str, Group]) -> None:
    apply(None, (EXAMPLES / "system-train.yaml").read_text(), now=NOW)

    assert [one["id"] for one in load(export(None, [("Process", "hotfix"), ("Activity", "run-job")]))] == [
        "run-job",
        "hotfix",
    ]
    assert export(None, []) == ""
    with pytest.raises(NotFound):
        export(None, [("Process", "hotfi")])
    with pytest.raises(InvalidInput):
        export(None, [("Proces", "hotfix")])


def test_people_export_what_they_may_see(stranger: User) -> None:
    one, _ = save_process(None, _process(), now=NOW)
    save_process(None, {**_process(), "id": "other"}, now=NOW)
    assert export(stranger) == ""

    assign_perm("processes.view_process", stranger, one)

    assert [document["id"] for document in load(export(User.objects.get(pk=stranger.pk)))] == ["any"]
    with pytest.raises(NotFound):
        export(User.objects.get(pk=stranger.pk), [("Process", "other")])


def test_what_the_admin_adds_to_the_rows_is_in_the_document() -> None:
    process, _ = save_process(None, {**_process(), "phases": [{"id": "a", "name": "A", "activities": []}]}, now=NOW)
    phase = Phase.objects.get()
    phase.activities.create(slug="new", name="New", depends_on=["b.c"], body={"manual": {}})

    assert drafts.load(process)["phases"][0]["activities"] == [
        {"id": "new", "name": "New", "depends_on": ["b.c"], "manual": {}}
    ]


EMPTIES: dict[str, Any] = {"depends_on": [], "owners": [], "activities": [], "description": ""}
NAMES = st.text("ab_", min_size=1, max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6)
    | st.text("aé '\"\\:#-{\n", max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ACTIVITIES = st.fixed_dictionaries(
    {"manual": st.just({"instructions": "Do it."})},
    optional={
        "name": st.text("Aä 1", min_size=1, max_size=9),
        "depends_on": st.lists(st.sampled_from(["a", "b", "p.a"]), max_size=2, unique=True),
        "with": st.dictionaries(NAMES, VALUES, max_size=3),
        "tags": st.just([]),
        "required": st.booleans(),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTIVITIES, max_size=3), st.sets(st.sampled_from(sorted(EMPTIES))), st.sampled_from(["", "Why."]))
def test_any_draft_comes_back_equal_also_where_it_spells_out_nothing(
    db: None, activities: list[dict[str, Any]], empties: set[str], description: str
) -> None:
    phase = {**{key: EMPTIES[key] for key in empties}, "id": "p", "name": "P"}
    if activities or "activities" in empties:
        phase["activities"] = [{"id": f"a{at}", **one} for at, one in enumerate(activities)]
    document = {**_process(), "phases": [phase]}
    if description or "description" in empties:
        document["description"] = description

    process, _ = save_process(None, document, now=NOW)

    assert canonical(drafts.load(process)) == canonical(document)
    assert save_process(None, document, now=NOW)[1] == "unchanged"
    Process.objects.all().delete()


def _process() -> dict[str, Any]:
    return {"kind": "Process", "id": "any", "name": "Any", "phases": []}


def _by_id(documents: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(document["kind"], document["id"]): document for document in documents}
