"""Input sets in the admin: a typed field for every input at every level, secrets masked, completeness shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from guardian.shortcuts import assign_perm

from activities.models import Secret
from activities.secrets import reveal, set_secret
from config.models import Event
from processes.models import InputSet, Process
from processes.services import apply
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
#: build(compile: from the store) ──> check(review: a subprocess)
TYPES = """
kind: Resource
id: cart
name: Cart
type: service
---
kind: Resource
id: live
name: Live
type: environment
---
kind: Activity
id: compile
name: Compile
type: wait
inputs: {target: {type: string, required: true}, jobs: {type: integer, default: 2}}
wait: 1h
---
kind: Process
id: review
name: Review
inputs: {depth: {type: integer}}
phases: [{id: look, name: Look, inputs: {eyes: {type: integer}}, activities: [{id: wait, wait: 1h}]}]
---
kind: Process
id: all
name: All types
inputs:
  version: {type: string, required: true, pattern: '^[0-9.]+$', description: What ships}
  notes: {type: text}
  count: {type: integer, min: 1, max: 9}
  ratio: {type: number}
  loud: {type: boolean, default: false}
  day: {type: date}
  at: {type: datetime}
  soak: {type: duration}
  mode: {type: enum, options: [fast, slow]}
  hosts: {type: list, items: string}
  extra: {type: object}
  credential: {type: secret}
  service: {type: service}
  place: {type: environment}
phases:
  - id: build
    name: Build
    inputs: {images: {type: list, items: string}}
    activities: [{id: compile, activity: compile}]
  - id: check
    name: Check
    depends_on: [build]
    activities: [{id: review, subprocess: review}]
---
kind: InputSet
id: usual
name: Usual
process: all
values: {inputs: {version: "1.0"}, phases: {build: {activities: {compile: {inputs: {}}}}}}
"""


@pytest.fixture
def desk(author: User) -> Desk:
    """The author's, at the input set."""
    apply(None, TYPES, now=NOW, publish=True)
    return at(Desk(staff(author)))


def at(desk: Desk) -> Desk:
    return desk.open("processes_inputset_change", usual().pk)


def usual() -> InputSet:
    return InputSet.objects.get(slug="usual")


def given(**values: str) -> dict[str, str]:
    return {f"given::{name}": value for name, value in values.items()}


def test_every_type_has_a_field_and_its_value_is_kept_typed(desk: Desk) -> None:
    desk.save(
        **given(
            version="2.1", notes="Two\r\nlines", count="3", ratio="0.5", loud="true", day="2026-03-02",
            at="2026-03-02T09:00+01:00", soak="90m", mode="slow", hosts="a\r\nb", extra='{"x": [1]}', service="cart",
            place="live",
        ),
        **{"given:build:images": "one", "given:build/compile:target": "x86", "given:check/review/look:eyes": "4"},
    )  # fmt: skip
    assert desk.first_status == 302, desk.text

    assert usual().values == {
        "inputs": {
            "version": "2.1", "notes": "Two\nlines", "count": 3, "ratio": 0.5, "loud": True, "day": "2026-03-02",
            "at": "2026-03-02T09:00+01:00", "soak": "1h30m", "mode": "slow", "hosts": ["a", "b"], "extra": {"x": [1]},
            "service": "cart", "place": "live",
        },
        "phases": {
            "build": {"inputs": {"images": ["one"]}, "activities": {"compile": {"inputs": {"target": "x86"}}}},
            "check": {"activities": {"review": {"phases": {"look": {"inputs": {"eyes": 4}}}}}},
        },
    }  # fmt: skip
    before = usual()
    at(desk).save()
    assert (usual().version, usual().values) == (before.version, before.values)


def test_saving_an_untouched_input_set_changes_nothing(desk: Desk) -> None:
    before, events = usual(), Event.objects.count()
    desk.save()

    assert desk.first_status == 302
    assert (usual().version, usual().values) == (before.version, before.values)
    assert Event.objects.count() == events


def test_a_value_that_is_emptied_is_taken_away(desk: Desk) -> None:
    desk.save(**given(count="3"))
    at(desk).save(**given(count=""))

    assert usual().values["inputs"] == {"version": "1.0"}


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("version", "one", "does not match the pattern"),
        ("count", "three", "cannot be read as integer"),
        ("count", "12", "at most 9"),
        ("loud", "maybe", "Select a valid choice"),
        ("day", "tomorrow", "a date"),
        ("soak", "a while", "a duration"),
        ("mode", "medium", "Select a valid choice"),
        ("extra", "{", "cannot be read as object"),
        ("place", "cart", "Select a valid choice"),
        ("service", "${{ inputs.nothing }}", "Select a valid choice"),
        ("version", "${{ inputs.nothing }}", "no 'inputs' here"),
        ("version", "nul\0", "Null characters"),
    ],
)
def test_a_value_that_does_not_fit_is_told_beside_its_field(desk: Desk, name: str, typed: str, told: str) -> None:
    desk.save(description="Typed before", **given(**{name: typed}))

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["description"] == "Typed before"
    assert usual().values["inputs"] == {"version": "1.0"}


def test_expressions_and_what_has_no_field_are_written_as_yaml(desk: Desk) -> None:
    desk.save(rest='inputs: {count: "${{ 1 + 2 }}"}')
    assert usual().values["inputs"]["count"] == "${{ 1 + 2 }}"
    assert at(desk).form["given::count"] == "${{ 1 + 2 }}"
    desk.save(rest="inputs: {unknown: 1}")

    assert "has no input 'unknown'" in desk.text
    assert desk.form["rest"] == "inputs: {unknown: 1}"


def test_completeness_is_shown_with_what_is_missing(desk: Desk) -> None:
    assert "Incomplete:" in desk.text
    assert "phases.build.activities.compile.inputs.target" in desk.text
    desk.save(**{"given:build/compile:target": "x86"})

    assert "Complete for the latest revision." in at(desk).text


def test_a_secret_is_chosen_by_its_name(desk: Desk) -> None:
    set_secret(None, "deploy", "hush-hush", now=NOW)
    at(desk).save(**given(credential="deploy"))

    assert usual().values["inputs"]["credential"] == {"secret": "deploy"}
    assert "hush-hush" not in at(desk).source


def test_a_new_secret_value_is_stored_under_its_own_name_and_never_shown(desk: Desk) -> None:
    set_secret(None, "usual-credential", "somebody else's", now=NOW)
    desk.save(**{"new:given::credential": "hush-hush"})
    name = usual().values["inputs"]["credential"]["secret"]

    assert reveal(name) == "hush-hush"
    assert reveal("usual-credential") == "somebody else's"
    assert "hush-hush" not in at(desk).source + str(list(Event.objects.values()))
    desk.save(**{"new:given::credential": "hush-again"})
    assert reveal(usual().values["inputs"]["credential"]["secret"]) == "hush-again"


def test_a_fault_elsewhere_stores_no_secret_and_sends_none_back(desk: Desk) -> None:
    desk.save(**{"new:given::credential": "hush-hush", "rest": "inputs: {unknown: 1}"})

    assert desk.status == 200
    assert "hush-hush" not in desk.source
    assert not Secret.objects.exists()


def test_choosing_and_typing_a_secret_at_once_is_refused(desk: Desk) -> None:
    set_secret(None, "deploy", "x", now=NOW)
    at(desk).save(**{**given(credential="deploy"), "new:given::credential": "y"})

    assert "not both" in desk.text


def test_a_new_input_set_is_made_and_goes_on_to_its_values(desk: Desk) -> None:
    desk.open("processes_inputset_add").save(
        slug="night", name="Night", process=str(Process.objects.get(slug="all").pk)
    )

    assert desk.address.endswith(f"/{InputSet.objects.get(slug='night').pk}/change/")
    assert "given:build/compile:target" in desk.form
    desk.open("processes_inputset_add").save(slug="night", name="Again", process=str(Process.objects.first().pk))  # type: ignore[union-attr]
    assert "already exists" in desk.text


def test_two_editors_at_once_the_second_is_told(desk: Desk) -> None:
    form = desk.form
    desk.save(**given(count="3"))
    desk.address = f"/admin/processes/inputset/{usual().pk}/change/"
    desk.send({**form, "given::count": "4"})

    assert "edited meanwhile" in desk.text
    assert desk.form["given::count"] == "4"
    assert usual().values["inputs"]["count"] == 3


def test_somebody_with_one_input_set_edits_it_without_learning_of_secrets_or_others(desk: Desk, stranger: User) -> None:
    set_secret(None, "somebody-elses", "x", now=NOW)
    apply(None, "kind: InputSet\nid: other\nname: Other set\nprocess: all\nvalues: {}\n", now=NOW)
    for verb in ("view", "change"):
        assign_perm(f"{verb}_inputset", stranger, usual())
    theirs = Desk(staff(stranger))

    assert "Other set" not in theirs.open("processes_inputset_changelist").text
    assert "All types" not in theirs.open("/admin/processes/inputset/").text.replace("Usual usual All types", "")
    at(theirs)
    assert "somebody-elses" not in theirs.source
    assert "new:given::credential" not in theirs.form
    theirs.save(**given(count="5"))
    assert usual().values["inputs"]["count"] == 5
    other = InputSet.objects.get(slug="other").pk
    assert theirs.open("processes_inputset_change", other).status == 404
    at(theirs).send({**theirs.form, "new:given::credential": "sneaky"})
    assert not Secret.objects.filter(name__startswith="usual").exists()


def test_a_reader_sees_the_values_but_no_fields(desk: Desk, stranger: User) -> None:
    reader = at(Desk(staff(stranger, "processes.view_inputset")))

    assert "version: '1.0'" in reader.text
    assert "given::version" not in reader.form
