"""Input sets: typed values for every level of a process, complete or incomplete against a revision."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from activities.secrets import set_secret
from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from processes.models import InputSet, Process
from processes.services import apply, completeness, export_input_set, save_input_set

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MULTI = (Path(__file__).parent.parent.parent / "docs" / "examples" / "multi-service-release.yaml").read_text()

# build(cart: store activity) ──> check(review: subprocess(look(person)))
TEXT = """
kind: Resource
id: production
name: Production
type: environment
---
kind: Activity
id: count
name: Count
type: manual
inputs:
  size: {type: integer, required: true, min: 1}
manual: {instructions: Count.}
---
kind: Process
id: inner
name: Inner
inputs: {depth: {type: integer, required: true}}
phases:
  - id: look
    name: Look
    inputs: {light: {type: boolean, required: true}}
    activities:
      - {id: person, activity: count}
---
kind: Process
id: outer
name: Outer
inputs:
  version: {type: string, required: true, pattern: '^\\d+$'}
  soak: {type: duration, default: 1h}
  environment: {type: environment}
  credential: {type: secret}
phases:
  - id: build
    name: Build
    activities:
      - {id: cart, activity: count}
      - {id: given, activity: count, with: {size: 2}}
  - id: check
    name: Check
    depends_on: [build]
    activities:
      - {id: review, subprocess: inner}
"""
FULL: dict[str, Any] = {
    "inputs": {"version": "1", "environment": "production"},
    "phases": {
        "build": {"activities": {"cart": {"inputs": {"size": 3}}}},
        "check": {
            "activities": {
                "review": {
                    "inputs": {"depth": 1},
                    "phases": {"look": {"inputs": {"light": True}, "activities": {"person": {"inputs": {"size": 1}}}}},
                }
            }
        },
    },
}


@pytest.fixture
def outer(db: None) -> Process:
    """The process above, published with all it needs."""
    apply(None, TEXT, now=NOW, publish=True)
    return Process.objects.get(slug="outer")


def test_values_at_every_level_also_inside_a_subprocess_make_a_set_complete(outer: Process) -> None:
    row, result = save_input_set(None, _set(FULL), now=NOW)

    assert result == "created"
    assert completeness(row).faults == ()
    assert completeness(row).complete
    assert export_input_set(row) == _set(FULL)


def test_every_missing_required_value_is_named_with_its_place(outer: Process) -> None:
    row, _ = save_input_set(None, _set({}), now=NOW)

    found = completeness(row)

    assert not found.complete
    assert {fault.path for fault in found.faults} == {
        "values.inputs.version",
        "values.phases.build.activities.cart.inputs.size",
        "values.phases.check.activities.review.inputs.depth",
        "values.phases.check.activities.review.phases.look.inputs.light",
        "values.phases.check.activities.review.phases.look.activities.person.inputs.size",
    }


def test_every_wrong_value_is_refused_at_once_with_a_cure_and_nothing_is_kept(outer: Process) -> None:
    wrong = {
        "inputs": {"version": "one", "soak": "long", "environment": "produktion", "versoin": "1", "credential": "abc"},
        "phases": {
            "biuld": {},
            "build": {"activities": {"crat": {}, "cart": {"inputs": {"size": 0}}}},
            "check": {"activities": {"review": {"phases": {"look": {"inputs": {"light": "on"}}}}}},
        },
    }

    with pytest.raises(InvalidInput) as raised:
        save_input_set(None, _set(wrong), now=NOW)

    faults = {fault.path: fault.cure for fault in raised.value.faults}
    assert set(faults) == {
        "values.inputs.version",
        "values.inputs.soak",
        "values.inputs.environment",
        "values.inputs.versoin",
        "values.inputs.credential",
        "values.phases.biuld",
        "values.phases.build.activities.crat",
        "values.phases.build.activities.cart.inputs.size",
        "values.phases.check.activities.review.phases.look.inputs.light",
    }
    assert "version" in faults["values.inputs.versoin"]
    assert "build" in faults["values.phases.biuld"]
    assert "production" in faults["values.inputs.environment"]
    assert not InputSet.objects.exists()


def test_a_secret_is_a_reference_and_incomplete_until_it_has_a_value(outer: Process) -> None:
    values = {**FULL, "inputs": {**FULL["inputs"], "credential": {"secret": "deploy-key"}}}
    row, _ = save_input_set(None, _set(values), now=NOW)

    found = completeness(row)
    assert [fault.path for fault in found.faults] == ["values.inputs.credential"]
    assert "deploy-key" in found.faults[0].message

    set_secret(None, "deploy-key", "s3cr3t")
    assert completeness(row).complete
    assert "s3cr3t" not in str(list(Event.objects.values_list("before", "after")))


def test_an_expression_is_kept_for_later_if_its_names_and_type_fit(outer: Process) -> None:
    later = {
        "inputs": {"version": "${{ string(release.id) }}"},
        "phases": {"build": {"activities": {"cart": {"inputs": {"size": "${{ int(inputs.version) }}"}}}}},
    }
    row, _ = save_input_set(None, _set(later), now=NOW)
    assert row.values == later

    for written in ("${{ 'open }}", "${{ release.id }}", "${{ inputs.version }}", "${{ inputs.verson }}"):
        wrong = {**later, "inputs": {"version": written}}
        with pytest.raises(InvalidInput) as raised:
            save_input_set(None, _set(wrong), now=NOW)
        assert {fault.path for fault in raised.value.faults} == {"values.inputs.version"}


def test_values_are_kept_in_their_canonical_form(outer: Process) -> None:
    row, _ = save_input_set(None, _set({"inputs": {"soak": "90m"}}), now=NOW)

    assert row.values == {"inputs": {"soak": "1h30m"}}
    assert save_input_set(None, _set({"inputs": {"soak": "90m"}}), now=NOW)[1] == "unchanged"


def test_values_may_fit_the_draft_or_the_revision(outer: Process) -> None:
    apply(None, TEXT.replace("soak: {type: duration, default: 1h}", "wait: {type: duration}"), now=NOW)

    old, _ = save_input_set(None, _set({"inputs": {"soak": "1h"}}), now=NOW)
    new, _ = save_input_set(None, {**_set({"inputs": {"wait": "1h"}}), "id": "new"}, now=NOW)

    assert not [fault for fault in completeness(old).faults if "soak" in fault.path]
    assert [fault for fault in completeness(new).faults if "wait" in fault.path]


def test_a_set_for_a_process_that_was_never_published_is_checked_against_the_drafts() -> None:
    apply(None, TEXT, now=NOW)

    row, _ = save_input_set(None, _set(FULL), now=NOW)

    assert [fault.path for fault in completeness(row).faults] == ["process"]
    with pytest.raises(InvalidInput):
        save_input_set(None, _set({"inputs": {"soak": 1.5, "nothing": 1}}), now=NOW)


def test_the_sample_set_lacks_only_the_value_of_its_secret(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW, publish=True)
    row = InputSet.objects.get()

    assert [fault.path for fault in completeness(row).faults] == ["values.inputs.credential"]
    set_secret(None, "demo-deploy-credential", "x")
    assert completeness(row).complete


def test_a_set_in_use_keeps_its_process(groups: dict[str, Group], outer: Process) -> None:
    apply(None, MULTI, now=NOW)

    with pytest.raises(Conflict) as raised:
        save_input_set(None, {**_set(FULL), "id": "production"}, now=NOW)

    assert raised.value.code == "in_use"
    assert "weekly-train" in raised.value.message


def test_an_edit_of_an_old_version_is_stale(outer: Process) -> None:
    save_input_set(None, _set({}), now=NOW, expected_version=0)
    save_input_set(None, _set(FULL), now=NOW, expected_version=1)

    with pytest.raises(Conflict) as raised:
        save_input_set(None, _set({}), now=NOW, expected_version=1)

    assert raised.value.code == "stale"
    assert list(Event.objects.filter(verb__startswith="input_set").values_list("verb", flat=True)) == [
        "input_set.created",
        "input_set.changed",
    ]


def test_a_stranger_saves_nothing(outer: Process, stranger: User) -> None:
    with pytest.raises(NotPermitted):
        save_input_set(stranger, _set({}), now=NOW)


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "InputSet", "id": "mine", "name": "Mine", "process": "outer", "values": values}
