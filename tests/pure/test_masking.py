"""No secret gets through, however it is cut into pieces."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.masking import Masker, mask

FEW_LETTERS = st.text("ab\n", max_size=40)
VALUES = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=3)


def in_pieces(text: str, size: int, values: list[str]) -> str:
    masker = Masker(values)
    data = text.encode()
    shown = [masker.feed(data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join([*shown, masker.close()]).decode()


def test_a_value_becomes_three_stars() -> None:
    assert mask("token=s3cret!", ["s3cret"]) == "token=***!"


def test_overlapping_values_become_one_mask() -> None:
    assert mask("xabcx", ["ab", "bc", "abc"]) == "x***x"


def test_an_empty_value_hides_nothing() -> None:
    assert mask("hello", [""]) == "hello"


def test_the_lines_of_a_long_value_are_masked_one_by_one() -> None:
    assert mask("| first-line\n| second-line\n| }", ["first-line\nsecond-line\n}"]) == "| ***\n| ***\n| }"


def test_text_that_cannot_begin_a_value_is_shown_at_once() -> None:
    masker = Masker(["secret"])
    assert masker.feed(b"progress 10 %") == b"progress 10 %"
    assert masker.feed(b" s") == b" "
    assert masker.feed(b"o what") == b"so what"


@pytest.mark.parametrize(
    "written",
    [
        quote("s3cr/t +ü?", safe=""),
        quote("s3cr/t +ü?"),
        quote_plus("s3cr/t +ü?"),
        quote("s3cr/t +ü?", safe="").lower(),
        json.dumps("s3cr/t +ü?")[1:-1],
        base64.b64encode("s3cr/t +ü?".encode()).decode(),
        base64.urlsafe_b64encode("s3cr/t +ü?".encode()).decode().rstrip("="),
    ],
)
def test_a_value_is_masked_in_the_ways_it_is_written_too(written: str) -> None:
    assert mask(f"token={written}&more", ["s3cr/t +ü?"]) == "token=***&more"
    assert in_pieces(f"token={written}&more", 3, ["s3cr/t +ü?"]) == "token=***&more"


@given(before=st.binary(max_size=4), after=st.binary(max_size=4))
def test_a_value_inside_something_in_base64_is_masked_but_for_the_letters_it_shares(
    before: bytes, after: bytes
) -> None:
    coded = base64.b64encode(before + b"correct horse" + after).decode()
    shown = mask(coded, ["correct horse"])
    assert "***" in shown
    assert len(shown) <= len(coded) - 13


@pytest.mark.parametrize("width", [64, 76])
def test_a_long_value_in_base64_is_masked_also_where_its_lines_are_wrapped(width: int) -> None:
    key = "".join(chr(65 + number % 26) for number in range(150))
    coded = base64.b64encode(key.encode()).decode()
    lines = "\n".join(coded[start : start + width] for start in range(0, len(coded), width))
    assert mask(lines, [key]) == "***\n***\n***" + ("\n***" if width == 64 else "")


def test_a_value_is_masked_also_without_the_line_end_it_was_stored_with() -> None:
    assert mask("x=abcdef y", ["abcdef\n"]) == "x=*** y"


def test_what_is_short_is_masked_as_it_is_only() -> None:
    assert mask("pass YWJjZA==", ["abcd"]) == "pass YWJjZA=="


def test_a_large_secret_holds_nobody_up() -> None:
    key = "\n".join(f"line {number} of a key {number * 7}" for number in range(200))
    masker, begun = Masker([key]), time.perf_counter()
    shown = b"".join(masker.feed(b"a line of the log\n") for _ in range(200)) + masker.close()
    assert shown == b"a line of the log\n" * 200
    assert time.perf_counter() - begun < 2


@example(text="abb", values=["ab", "bba"], size=1)
@given(text=FEW_LETTERS, values=VALUES, size=st.integers(1, 7))
def test_pieces_are_masked_like_the_whole(text: str, values: list[str], size: int) -> None:
    assert in_pieces(text, size, values) == mask(text, values)


@given(text=FEW_LETTERS, values=VALUES)
def test_exactly_the_letters_of_values_disappear(text: str, values: list[str]) -> None:
    hidden = [False] * len(text)
    for value in values:
        for start in range(len(text)):
            if text.startswith(value, start):
                hidden[start : start + len(value)] = [True] * len(value)
    expected = ""
    for index, character in enumerate(text):
        if not hidden[index]:
            expected += character
        elif index == 0 or not hidden[index - 1]:
            expected += "***"
    assert mask(text, values) == expected
