from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import ExpressionFailed
from processes.expressions import evaluate, evaluate_one, matches, references

CONTEXT: dict[str, Any] = {
    "inputs": {
        "version": "1.0.0",
        "count": 3,
        "ratio": 0.5,
        "ok": True,
        "soak": timedelta(seconds=2),
        "none": None,
        "images": ["a", "b"],
        "credential": {"secret": "deploy"},
        "settings": {"a": {"b": 1}},
        "long": "x" * 50_000,
        "many": list(range(1000)),
    },
    "phases": {"wrap-up": {"state": "failed"}, "build": {"activities": {"cart": {"outputs": {"image": "cart:1"}}}}},
    "now": datetime(2026, 1, 8, 9, tzinfo=UTC),
    "start": datetime(2026, 1, 7, 23, 30, tzinfo=UTC),
    "sequence": 7,
    "item": "eu",
    "index": 0,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no expression", "no expression"),
        ("${{ inputs.version }}", "1.0.0"),
        ("  ${{ inputs.count }}  ", 3),
        ("${{ inputs.ok }}", True),
        ("${{ inputs.ratio }}", 0.5),
        ("${{ inputs.images }}", ["a", "b"]),
        ("${{ inputs.settings.a.b + 1 }}", 2),
        ("${{ inputs.credential }}", {"secret": "deploy"}),
        ("${{ inputs.none }}", None),
        ("${{ inputs.soak }}", "2s"),
        ("${{ duration(string(inputs.count * 24) + 'h') }}", "3d"),
        ("${{ duration('2d') > duration('47h') }}", True),
        ("${{ now + inputs.soak }}", "2026-01-08T09:00:02+00:00"),
        ("${{ phases['wrap-up'].state == 'failed' }}", True),
        ('${{ phases["build"].activities.cart.outputs.image }}', "cart:1"),
        ("${{ [inputs.version, item] }}", ["1.0.0", "eu"]),
        ("${{ {'a': {'b': index}}}}", {"a": {"b": 0}}),
        ("${{ '}}' + inputs.version }}", "}}1.0.0"),
        ("1.${{ sequence }}.0", "1.7.0"),
        ("${{ inputs.version }}-${{ inputs.ok }}-${{ inputs.soak }}", "1.0.0-true-2s"),
        ("${{ has(inputs.none) }}", False),
        ("${{ has(inputs.version) }}", True),
        ("${{ has(inputs.nothing) ? inputs.nothing : 'other' }}", "other"),
        ("${{ inputs.none == null }}", True),
        ("${{ inputs.images.map(x, x + '!').join(', ') }}", "a!, b!"),
        ("${{ inputs.version.split('.')[0].replace('1', 'one').upperAscii() }}", "ONE"),
        ("${{ ' a '.trim().size() + 'abc'.indexOf('c') }}", 3),
        ("${{ 'abcdef'.substring(2) + 'abcdef'.substring(0, 2).lowerAscii() }}", "cdefab"),
        ("${{ date(start, '%G-W%V') }}", "2026-W02"),
    ],
)
def test_an_expression_gives_its_value(text, value):
    found = evaluate(text, CONTEXT)
    assert found == value
    assert type(found) is type(value)


def test_expressions_are_found_at_any_depth():
    value = {"a": ["${{ inputs.count }}", {"b": "v${{ inputs.version }}"}], "c": 1}
    assert evaluate(value, CONTEXT) == {"a": [3, {"b": "v1.0.0"}], "c": 1}


def test_date_reads_the_clock_of_the_zone_asked_for():
    assert evaluate("${{ date(start, '%Y-%m-%d %H:%M') }}", CONTEXT) == "2026-01-07 23:30"
    assert evaluate("${{ date(start, '%Y-%m-%d %H:%M') }}", CONTEXT, zone="Europe/Berlin") == "2026-01-08 00:30"
    assert evaluate("${{ date(start, '%H', 'America/New_York') }}", CONTEXT, zone="Europe/Berlin") == "18"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ inputs.nothing }}", "`inputs.nothing` failed: there is no 'inputs.nothing' here."),
        ("${{ phases.deploy.state }}", "`phases.deploy.state` failed: there is no 'phases.deploy' here."),
        ("v${{ inputs.none }}", "`inputs.none` has no value, so it cannot be put into a text."),
        ("v${{ inputs.credential }}", "`inputs.credential` is a secret and cannot be put into a text."),
        ("v${{ inputs.images }}", "`inputs.images` is a list or an object and cannot be put into a text."),
        ("${{ 1 / 0 }}", "`1 / 0` failed: divide by zero."),
        ("${{ inputs.images[7] }}", "`inputs.images[7]` failed: Index error: index=7 size=2."),
        ("${{ inputs.settings.z }}", "`inputs.settings.z` failed: there is no 'inputs.settings.z' here."),
        ("${{ nope }}", "`nope` is not a valid expression: undeclared reference to 'nope'."),
        ("${{ 'a' + }}", "`'a' +` is not a valid expression: Syntax error: mismatched input '<EOF>'."),
        ("${{ inputs.version", "'${{' is never closed by '}}'."),
        ("${{ }}", "The expression is empty."),
        (
            "${{ date(now, '%Y', 'Mars/Base') }}",
            "`date(now, '%Y', 'Mars/Base')` failed: there is no time zone 'Mars/Base'.",
        ),
        ("${{ 'a'.substring(3) }}", "`'a'.substring(3)` failed: substring(3, 1) is outside a text of 1 characters."),
        ("${{ duration('soon') }}", "`duration('soon')` failed: 'soon' is not a duration."),
        ("${{ '\\x00' }}", "`'\\x00'` gives a text that is too long or cannot be stored."),
        ("${{ 0.0 / 0.0 }}", "`0.0 / 0.0` is not a number."),
        ("${{ type(1) }}", "`type(1)` gives a Type, which has no place in a document."),
    ],
)
def test_what_fails_is_raised_and_never_read_as_a_value(text, message):
    with pytest.raises(ExpressionFailed) as caught:
        evaluate(text, CONTEXT)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "source",
    [
        "inputs.many.map(a, inputs.many.map(b, inputs.many.map(c, a + b + c)))",
        "inputs.many.exists(a, inputs.many.exists(b, a + b < 0))",
        "inputs.long.replace('x', inputs.long)",
        "inputs.long.split('').join(inputs.long)",
        "[inputs.long, inputs.long, inputs.long].join('')",
        "[" * 40 + "1" + "]" * 40,
        "(" * 500 + "1" + ")" * 500,
        "1 + " * 700 + "1",
        "[['a'].map(x, "
        + "+".join("x" * 12)
        + ")[0]].map(y, "
        + "+".join("y" * 11)
        + ")[0].map(z, ["
        + "z," * 12
        + "z])",
    ],
)
def test_a_runaway_is_stopped(source):
    begun = time.process_time()
    with pytest.raises(ExpressionFailed):
        evaluate_one(source, CONTEXT)
    assert time.process_time() - begun < 5


def test_an_expression_over_the_length_limit_is_refused():
    with pytest.raises(ExpressionFailed, match="2000 is the limit"):
        evaluate("${{ '" + "x" * 2000 + "' }}", CONTEXT)


def test_a_pattern_that_would_hang_elsewhere_is_matched_in_linear_time():
    assert not matches("a" * 5000 + "b", "^(a+)+$")
    with pytest.raises(ExpressionFailed):
        matches("a", "(")


def test_references_lists_every_dotted_name():
    value = {
        "a": "${{ phases['wrap-up'].state == 'failed' && inputs.version.size() > 1 }}",
        "b": ["x ${{ phases.build.activities.cart.outputs.image }}", "inputs.not_an_expression"],
        "c": "${{ ['inputs.quoted'].map(x, x + activity.inputs.y) }}",
    }
    assert references(value) == {
        ("phases", "wrap-up", "state"),
        ("inputs", "version"),
        ("phases", "build", "activities", "cart", "outputs", "image"),
        ("activity", "inputs", "y"),
    }


def test_evaluating_takes_tens_of_microseconds_however_large_the_context_is():
    context = {
        **CONTEXT,
        "phases": {str(at): {"state": "x", "outputs": {"o": "y" * 100}} for at in range(5000)} | CONTEXT["phases"],
    }
    text = "${{ phases['wrap-up'].state == 'failed' }}"
    evaluate(text, context)
    begun = time.process_time()
    for _ in range(1000):
        evaluate(text, context)
    assert (time.process_time() - begun) / 1000 < 0.0005
