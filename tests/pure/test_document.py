from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Fault, InvalidInput
from processes.document import DEEPEST, LARGEST, canonical, digest, dump, load
from tests.pure.documents import EXAMPLES, example

SAMPLES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12
)


def refusal(text: str) -> Fault:
    with pytest.raises(InvalidInput) as caught:
        load(text)
    return caught.value.faults[0]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_survives_the_round_trip(name):
    documents = example(name)
    assert documents
    assert load(dump(documents)) == documents


def test_writing_twice_gives_the_same_text():
    documents = example("multi-service-release")
    assert dump(load(dump(documents))) == dump(documents)


def test_json_and_yaml_are_the_same_document():
    documents = example("system-train")
    assert load(json.dumps(documents)) == documents
    assert load(json.dumps(documents[0])) == documents[:1]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_document_survives_the_round_trip(document):
    assert load(dump([document])) == ([document] if document is not None else [])


def test_moments_dates_and_words_stay_text():
    text = "a: 2026-01-08T09:00\nb: 2026-01-08\nc: on\nd: yes\ne: 1.0.0\nf: 089\ng: 0x10\nh: 1_000\ni: '12'\nj: 12:30"
    assert set(map(type, load(text)[0].values())) == {str}


def test_only_true_and_false_are_booleans_and_numbers_are_numbers():
    assert load("a: true\nb: false\nc: 12\nd: -1\ne: 1.5\nf: 1e3\ng: ~\nh:")[0] == {
        "a": True,
        "b": False,
        "c": 12,
        "d": -1,
        "e": 1.5,
        "f": 1000.0,
        "g": None,
        "h": None,
    }


def test_keys_are_written_in_the_canonical_order_and_chosen_names_keep_theirs():
    text = dump(
        [
            {
                "phases": [],
                "name": "A",
                "inputs": {"z": {"required": True, "type": "string"}, "a": {}},
                "id": "a",
                "kind": "Process",
            }
        ]
    )
    assert text.splitlines()[:6] == ["kind: Process", "id: a", "name: A", "inputs:", "  z:", "    type: string"]
    assert text.index("z:") < text.index("a: {}")


def test_the_digest_does_not_depend_on_order_or_on_how_a_whole_number_is_written():
    assert digest({"a": 1, "b": [2.0]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest({"a": True}) != digest({"a": 1})
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


@pytest.mark.parametrize(
    ("text", "path", "message", "cure"),
    [
        ("a: 1\nb: 2\na: 3", "line 3", "The key 'a' is given twice.", "Keep one of them."),
        ("x:\n  a: 1\n  a: 2", "line 3", "The key 'a' is given twice.", "Keep one of them."),
        ("a: &x 1\nb: *x", "line 2", "Aliases (`*name`) are not supported.", "Write the value out where it is used."),
        (
            "a: !!python/name:os.system x",
            "line 1",
            "The tag 'tag:yaml.org,2002:python/name:os.system' is not supported.",
            "Write a plain value.",
        ),
        ("a: 1\n? [x]\n: 2", "line 2", "A key must be plain text.", ""),
        ("a:\n\t- 1", "line 2", "This is not valid YAML: found character '\\t' that cannot start any token.", ""),
        ("- 1", "document 1", "A document must be a mapping that starts with 'kind:'.", ""),
        ("just text", "document 1", "A document must be a mapping that starts with 'kind:'.", ""),
        ('{"a": 1, "a": 2}', "", "The key 'a' is given twice in one object.", "Keep one of them."),
        ('{"a": NaN}', "", "NaN is not a number that JSON knows.", ""),
        ('a: "x\\0y"', "", "The text 'x\\x00y' has a character that cannot be stored.", "Remove it."),
        ("a: 1e999", "", "A number is too large.", ""),
        ('{"a": 99999999999999999999}', "", "A whole number is too large.", "Put it in quotes if it is a name."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text, path, message, cure):
    assert refusal(text) == Fault(path, message, cure)


def test_a_half_character_is_refused():
    assert "cannot be stored" in refusal('{"a": "\\ud800"}').message


@pytest.mark.parametrize("text", ["a: " + "[" * 200, "[" * 5000, '{"a":' * 3000, "a: " + "{b: " * 100])
def test_nesting_without_end_is_refused(text):
    fault = refusal(text)
    assert "nested" in fault.message or "not valid YAML" in fault.message


def test_nesting_within_the_limit_is_read():
    assert load("a: " + "[" * (DEEPEST - 3) + "]" * (DEEPEST - 3))


def test_a_file_that_is_too_large_is_refused():
    assert refusal("a: " + "x" * LARGEST).message.endswith(f"{LARGEST} is the limit.")


def test_a_bomb_of_aliases_is_refused_at_its_first_alias():
    bomb = "a: &a [x, x]\n" + "\n".join(
        f"{key}: &{key} [*{before}, *{before}]" for before, key in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refusal(bomb).path == "line 2"


def test_empty_documents_are_left_out():
    assert load("---\n---\na: 1\n---\n") == [{"a": 1}]
    assert load("") == []
