"""No secret gets through, however it is cut into pieces."""

from __future__ import annotations

from hypothesis import given
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
