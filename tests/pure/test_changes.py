"""Commits and tickets are read from whatever a pipeline calls them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from releases.changes import MOST, Named, read


@pytest.mark.parametrize(
    ("said", "references"),
    [
        (None, []),
        ("", []),
        ("abc123", ["abc123"]),
        ("a1 b2,c3;\nd4", ["a1", "b2", "c3", "d4"]),
        ('["a1", "b2"]', ["a1", "b2"]),
        ('{"sha": "a1"}', ["a1"]),
        (["a1", {"key": "SHOP-1"}, 42], ["a1", "SHOP-1", "42"]),
        (["a1", "a1"], ["a1"]),
        ({"reference": "a1"}, ["a1"]),
    ],
)
def test_what_is_named_is_read_once_each_and_in_order(said: Any, references: list[str]) -> None:
    reading = read("commit", said, "commits")
    assert ([named.reference for named in reading.found], reading.faults) == (references, [])


def test_the_words_of_other_tools_are_understood() -> None:
    said = [{"sha": "a1", "message": "Mend it\n\nAt last", "author": {"name": "Ann"}, "html_url": "https://x.org/a1"}]
    assert read("commit", json.dumps(said), "commits").found == [
        Named("commit", "a1", title="Mend it", author="Ann", link="https://x.org/a1")
    ]


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ([{}], "commits[0]"),
        ([None], "commits[0]"),
        (["x" * 201], "commits[0].reference"),
        ([{"sha": "a", "url": "javascript:alert(1)"}], "commits[0].link"),
        ([{"sha": "a", "author": "x\0"}], "commits[0].author"),
        (["half \ud800"], "commits[0].reference"),
        (["c"] * (MOST + 1), "commits"),
    ],
)
def test_what_cannot_be_kept_is_a_fault_at_its_place(said: Any, place: str) -> None:
    reading = read("commit", said, "commits")
    assert [fault.path for fault in reading.faults] == [place]
    assert len(reading.found) <= 1
