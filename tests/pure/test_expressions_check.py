from __future__ import annotations

import pytest

from processes.expressions_check import Complaint, Scope, check_expression
from processes.expressions_types import declared_type, fits, in_words

SCOPE = Scope(
    {
        ("inputs", "version"): "string",
        ("inputs", "count"): "int",
        ("inputs", "ratio"): "double",
        ("inputs", "soak"): "duration",
        ("inputs", "images"): "list(string)",
        ("inputs", "settings"): "map",
        ("inputs", "credential"): "secret",
        ("phases", "wrap-up", "state"): "string",
        ("phases", "build", "activities", "cart", "outputs", "image"): "string",
        ("phase", "owners"): "list(string)",
        ("now",): "timestamp",
    }
)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("inputs.version", "string"),
        ("inputs['version']", "string"),
        ("inputs.version != null", "bool"),
        ("has(inputs.version) && inputs.count > 1", "bool"),
        ("inputs.count * 2", "int"),
        ("inputs.ratio * 2.0", "double"),
        ("inputs.settings.a.b", "any"),
        ("inputs.credential", "secret"),
        ("phases['wrap-up'].state == 'failed'", "bool"),
        ("phase.owners[0]", "string"),
        ("inputs.images.map(x, x.size())", "list(int)"),
        ("[phases.build.activities.cart.outputs.image]", "list(string)"),
        ("duration(string(inputs.count * 24) + 'h')", "duration"),
        ("now + inputs.soak", "timestamp"),
        ("date(now, '%Y')", "string"),
    ],
)
def test_a_right_expression_has_a_type(source, kind):
    assert check_expression(source, SCOPE) == (kind, [])


@pytest.mark.parametrize(
    ("source", "message", "cure"),
    [
        ("inputs.verzion", "There is no 'inputs.verzion'.", "Did you mean inputs.version?"),
        (
            "inputs.zzz",
            "There is no 'inputs.zzz'.",
            "There are count, credential, images, ratio, settings, soak, version.",
        ),
        ("phases['wrap-upp'].state", "There is no 'phases.wrap-upp.state'.", "Did you mean phases.wrap-up?"),
        (
            "phases.build.activities.crt.outputs.image",
            "There is no 'phases.build.activities.crt.outputs.image'.",
            "Did you mean phases.build.activities.cart?",
        ),
        (
            "phases.build",
            "'phases.build' is a group of values, not one value.",
            "Name one of them: phases.build.activities.cart.outputs.image.",
        ),
        ("item", "There is no 'item' here.", "It exists only inside an activity with for_each."),
        ("payload.x", "There is no 'payload' here.", "It exists only in the match of a signal."),
        ("input.version", "`input.version` uses 'input', which does not exist.", "Did you mean inputs?"),
        (
            "inputs.version + 1",
            "`inputs.version + 1` has the wrong types: '+' does not work on text and a whole number.",
            "Turn the other into text with string(...).",
        ),
        (
            "inputs.count * 1.5",
            "`inputs.count * 1.5` has the wrong types: '*' does not work on a whole number and a number.",
            "Write whole numbers as 2.0, or convert with double(...).",
        ),
        (
            "inputs.version == inputs.count",
            "`inputs.version == inputs.count` has the wrong types: '==' does not work on text and a whole number.",
            "",
        ),
        (
            "'x' + inputs.credential",
            "`'x' + inputs.credential` has the wrong types: '+' does not work on text and a secret.",
            "A secret can only be passed on whole.",
        ),
        (
            "string(inputs.credential)",
            "`string(inputs.credential)` has the wrong types: 'string()' does not work on a secret.",
            "A secret can only be passed on whole.",
        ),
        ("dyn(inputs.credential)", "dyn() is not supported.", "Leave it out: types are known here."),
        (
            "inputs.images.map(item, item)",
            "The loop variable 'item' hides the name 'item'.",
            "Choose another word, such as x.",
        ),
        (
            "inputs.version ==",
            "`inputs.version ==` is not a valid expression: Syntax error: mismatched input '<EOF>'.",
            "",
        ),
    ],
)
def test_a_wrong_expression_is_refused_with_a_cure(source, message, cure):
    assert check_expression(source, SCOPE) == ("any", [Complaint(message, cure)])


def test_every_unknown_name_is_told_at_once():
    _, complaints = check_expression("inputs.a + inputs.b + inputs.a", SCOPE)
    assert [complaint.message for complaint in complaints] == ["There is no 'inputs.a'.", "There is no 'inputs.b'."]


def test_a_secret_has_no_parts():
    kind, complaints = check_expression("inputs.credential.secret", SCOPE)
    assert kind == "any"
    assert "a secret" in complaints[0].message


@pytest.mark.parametrize(
    ("found", "wanted", "good"),
    [
        ("string", "string", True),
        ("int", "double", True),
        ("double", "int", False),
        ("secret", "string", False),
        ("string", "secret", False),
        ("list(string)", "list(int)", False),
        ("list(any)", "list(string)", True),
        ("null", "string", True),
        ("any", "duration", True),
        ("string", "duration", False),
    ],
)
def test_a_type_fits_another_only_when_no_value_is_lost(found, wanted, good):
    assert fits(found, wanted) is good


def test_declared_types_read_well():
    assert declared_type({"type": "list", "items": {"type": "duration"}}) == "list(string)"
    assert declared_type({}) == "string"
    assert in_words("list(int)") == "a list of whole numbers"
    assert in_words("list(string)") == "a list of text"
    assert in_words("list(any)") == "a list"
