from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from activities.canonical import secret_names
from config.errors import Fault, InvalidInput
from processes.catalogue import DocumentCatalogue
from processes.expansion import expand
from processes.inputs import coerce_text, json_schema, resolve, settle, typed, validate
from processes.inputs_completeness import completeness, values_at
from tests.pure.documents import catalogue, example, process

DECLARED: dict[str, dict[str, Any]] = {
    "version": {"type": "string", "required": True, "pattern": r"^\d+\.\d+\.\d+$"},
    "notes": {"type": "text", "max": 10},
    "count": {"type": "integer", "min": 0, "max": 5},
    "ratio": {"type": "number"},
    "ok": {"type": "boolean"},
    "day": {"type": "date", "min": "2026-01-01"},
    "moment": {"type": "datetime"},
    "soak": {"type": "duration", "default": "2s", "max": "1h"},
    "level": {"type": "enum", "options": ["low", "high"]},
    "images": {"type": "list", "items": "string", "max": 2},
    "extra": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "credential": {"type": "secret"},
    "service": {"type": "service"},
}
GOOD: dict[str, Any] = {
    "version": "1.0.0",
    "notes": "fine",
    "count": 5,
    "ratio": 1,
    "ok": False,
    "day": "2026-01-08",
    "moment": "2026-01-08T09:00:00+01:00",
    "soak": "90s",
    "level": "low",
    "images": ["a"],
    "extra": {"a": 1},
    "credential": {"secret": "deploy"},
    "service": "cart",
}


def test_good_values_become_canonical():
    clean, faults = validate(DECLARED, GOOD)
    assert faults == []
    assert clean == {**GOOD, "ratio": 1.0, "soak": "1m30s"}
    assert validate(DECLARED, clean) == (clean, [])


@pytest.mark.parametrize(
    ("name", "value", "path", "message", "cure"),
    [
        ("version", 1.0, "version", "'version' must be text, not '1.0'.", "Put it in quotes."),
        ("version", "1.0", "version", "'1.0' does not match the pattern ^\\d+\\.\\d+\\.\\d+$.", ""),
        ("notes", "much too long", "notes", "'notes' must have at most 10 characters.", ""),
        ("count", 6, "count", "'count' must be at most 5.", ""),
        ("count", True, "count", "'count' must be a whole number, not true.", ""),
        ("count", 1.5, "count", "'count' must be a whole number, not '1.5'.", ""),
        ("ratio", "x", "ratio", "'ratio' must be a number, not 'x'.", ""),
        ("ok", "yes", "ok", "'ok' must be true or false, not 'yes'.", ""),
        ("day", "2026-13-01", "day", "'2026-13-01' is not a date.", "Write it like 2026-01-08."),
        ("day", "2025-12-31", "day", "2025-12-31 is less than the least allowed, 2026-01-01.", ""),
        (
            "moment",
            "2026-01-08T09:00",
            "moment",
            "'2026-01-08T09:00' is not a moment with an offset.",
            "Write it like 2026-01-08T09:00:00+01:00.",
        ),
        ("soak", "soon", "soak", "'soon' is not a duration.", "Write it like 2d, 1h30m, 10m, 30s or 500ms."),
        ("soak", "2h", "soak", "2h is more than the most allowed, 1h.", ""),
        ("level", "hihg", "level", "'level' must be one of low, high, not 'hihg'.", "Did you mean high?"),
        ("images", ["a", 1], "images[1]", "'images[1]' must be text, not '1'.", "Put it in quotes."),
        ("images", "a", "images", "'images' must be a list, not 'a'.", ""),
        ("images", ["a", "b", "c"], "images", "'images' must have at most 2 items.", ""),
        ("extra", {"b": 1}, "extra.b", "'b' is not a known key here.", "Known are: a."),
        (
            "credential",
            "hunter2",
            "credential",
            "'credential' must be a reference to a secret.",
            "Write {secret: name-of-the-secret}.",
        ),
        (
            "service",
            "Cart!",
            "service",
            "'Cart!' is not an id.",
            "Use lower-case letters, digits and hyphens, at most 64.",
        ),
        ("sevice", "cart", "sevice", "There is no input 'sevice'.", "Did you mean service?"),
        ("version", None, "version", "'version' is required and has no value.", "Give it a value."),
    ],
)
def test_a_wrong_value_shows_its_place_and_a_cure(name, value, path, message, cure):
    _, faults = validate(DECLARED, {**GOOD, name: value})
    assert faults == [Fault(path, message, cure)]


def test_all_wrong_values_come_at_once():
    _, faults = validate(DECLARED, {"version": 1, "count": -1, "ok": 3, "nope": 1})
    assert [fault.path for fault in faults] == ["nope", "version", "count", "ok"]


def test_a_wrong_secret_is_never_shown():
    _, faults = validate(DECLARED, {**GOOD, "credential": {"secret": "Hunter 2!"}})
    assert "Hunter" not in str(faults[0])


@pytest.mark.parametrize(
    ("declaration", "text", "value"),
    [
        ({"type": "integer"}, " 120 ", 120),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "no", False),
        ({"type": "string"}, " a ", "a"),
        ({"type": "text"}, "a\nb\n", "a\nb\n"),
        ({"type": "duration"}, "90m", "1h30m"),
        ({"type": "list"}, "a, b\nc", ["a", "b", "c"]),
        ({"type": "list", "items": "integer"}, "[1, 2]", [1, 2]),
        ({"type": "list", "items": "integer"}, "1,2", [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": "enum", "options": ["x"]}, "x", "x"),
        ({"type": "date"}, "2026-01-08", "2026-01-08"),
        ({}, "a", "a"),
    ],
)
def test_a_text_becomes_the_declared_type(declaration, text, value):
    found = coerce_text(declaration, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ({"type": "integer"}, "x"),
        ({"type": "integer"}, "1e400"),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "inf"),
        ({"type": "boolean"}, "maybe"),
        ({"type": "object"}, "["),
        ({"type": "object"}, "[" * 100000),
        ({"type": "enum", "options": ["x"]}, "y"),
        ({"type": "integer"}, "9" * 5000),
    ],
)
def test_a_text_that_is_not_of_the_type_is_refused(declaration, text):
    with pytest.raises(InvalidInput):
        coerce_text(declaration, text)


def test_the_json_schema_accepts_what_is_valid_and_names_what_is_required():
    schema = json_schema(DECLARED)
    assert schema["required"] == ["version"]
    assert schema["properties"]["soak"]["default"] == "2s"
    assert schema["properties"]["level"]["enum"] == ["low", "high"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)


def test_the_narrowest_layer_wins_and_every_value_knows_where_it_came_from():
    declared = {name: {"default": "d"} for name in "abcde"} | {"f": {}}
    layers: list[tuple[str, dict[str, Any]]] = [
        ("start", {"a": "1"}),
        ("release", {"a": "2", "b": "2"}),
        ("input set", {"b": "3", "c": "3"}),
        ("with", {"c": "4", "d": "4", "a": None}),
    ]
    assert resolve(layers, declared) == {
        "a": {"value": "1", "source": "start"},
        "b": {"value": "2", "source": "release"},
        "c": {"value": "3", "source": "input set"},
        "d": {"value": "4", "source": "with"},
        "e": {"value": "d", "source": "default"},
        "f": {"value": None, "source": "unset"},
    }


def test_false_zero_and_empty_are_values():
    declared = {name: {"default": 1} for name in "abc"}
    found = resolve([("start", {"a": False, "b": 0, "c": ""})], declared)
    assert [entry["source"] for entry in found.values()] == ["start"] * 3


def test_settling_evaluates_checks_and_keeps_the_source():
    declared: dict[str, dict[str, Any]] = {
        "image": {"required": True},
        "soak": {"type": "duration"},
        "n": {"type": "integer"},
        "opt": {},
    }
    given = resolve(
        [("with", {"image": "${{ inputs.i }}:1", "soak": "${{ inputs.s }}", "n": "${{ inputs.i }}"})], declared
    )
    settled, faults = settle(given, declared, {"inputs": {"i": "cart", "s": timedelta(minutes=90)}})
    assert settled["image"] == {"value": "cart:1", "source": "with"}
    assert settled["soak"] == {"value": "1h30m", "source": "with"}
    assert settled["n"]["value"] is None
    assert settled["opt"] == {"value": None, "source": "unset"}
    assert faults == [Fault("n", "'n' must be a whole number, not 'cart'.")]


def test_settling_tells_which_expression_failed_and_what_is_missing():
    declared = {"a": {"required": True}, "b": {"required": True}}
    _, faults = settle(resolve([("with", {"a": "${{ inputs.x }}"})], declared), declared, {"inputs": {}})
    assert faults == [
        Fault("a", "`inputs.x` failed: there is no 'inputs.x' here."),
        Fault("b", "'b' is required and has no value.", "Give it a value."),
    ]


def test_expressions_see_lengths_and_moments_not_their_texts():
    seen = typed(DECLARED, {"soak": "1h30m", "moment": "2026-01-08T09:00:00+00:00", "ratio": 2, "other": 1})
    assert seen["soak"] == timedelta(minutes=90)
    assert seen["moment"] == datetime(2026, 1, 8, 9, tzinfo=UTC)
    assert isinstance(seen["ratio"], float)
    assert seen["other"] == 1
    assert seen["version"] is None


def sample_nodes():
    documents = example("multi-service-release")
    found = DocumentCatalogue(documents)
    published = found.process("multi-service-release")
    assert published
    return documents, expand(published.document, 1, found)["nodes"]


def test_the_sample_input_set_is_complete_and_names_its_secret():
    documents, nodes = sample_nodes()
    values = next(document["values"] for document in documents if document["kind"] == "InputSet")
    found = completeness(nodes, values)
    assert found.complete
    assert found.secrets == {"demo-deploy-credential"}


def test_an_incomplete_input_set_lists_what_is_missing_and_wrong_with_places():
    _, nodes = sample_nodes()
    inner = {"scan": {"activities": {"dependencies": {"inputs": {"suite": "zip"}}}}}
    found = completeness(
        nodes,
        {
            "inputs": {"versoin": "1.0.0", "soak": "x"},
            "phases": {
                "buidl": {},
                "build": {"activities": {"crt": {}}},
                "validation": {"activities": {"security": {"phases": inner}}},
            },
        },
    )
    assert found.missing == (Fault("inputs.version", "'version' is required and has no value.", "Give it a value."),)
    assert [(fault.path, fault.cure) for fault in found.faults] == [
        ("inputs.versoin", "Did you mean version?"),
        ("phases.buidl", "Did you mean build?"),
        ("phases.build.activities.crt", "Did you mean cart?"),
        ("inputs.soak", "Write it like 2d, 1h30m, 10m, 30s or 500ms."),
        ("phases.validation.activities.security.phases.scan.activities.dependencies.inputs.suite", ""),
    ]
    assert not found.complete


def test_an_activity_input_that_nothing_gives_is_missing_until_the_set_gives_it():
    document = process("- {id: a, name: A, activities: [{id: x, activity: sign-off}]}")
    nodes = expand(document, 1, catalogue())["nodes"]
    assert [fault.path for fault in completeness(nodes, {}).missing] == ["phases.a.activities.x.inputs.what"]
    given = {"phases": {"a": {"activities": {"x": {"inputs": {"what": "All of it"}}}}}}
    assert completeness(nodes, given).complete


def test_values_are_found_by_a_nodes_path():
    values = {
        "inputs": {"a": 1},
        "phases": {"p": {"inputs": {"b": 2}, "activities": {"x": {"phases": {"q": {"inputs": {"c": 3}}}}}}},
    }
    assert values_at(values, "") == {"a": 1}
    assert values_at(values, "p") == {"b": 2}
    assert values_at(values, "p/x/q") == {"c": 3}
    assert values_at(values, "p/none") == {}


def test_secret_names_are_found_at_any_depth():
    assert secret_names({"a": [{"secret": "x"}], "b": {"secret": "y", "more": 1}}) == {"x"}
