from __future__ import annotations

from datetime import timedelta

import pytest

from config import durations
from config.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2d", 172800),
        ("1h30m", 5400),
        ("10m", 600),
        ("1s", 1),
        ("500ms", 0.5),
        ("1w", 604800),
        (90, 90),
        (1.5, 1.5),
        ("1.5h", 5400),
        ("0s", 0),
    ],
)
def test_a_duration_is_read(text, seconds):
    assert durations.seconds(text) == seconds
    assert durations.is_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "d",
        "2x",
        "1h 30m",
        "-1h",
        "1h-30m",
        -1,
        True,
        None,
        [],
        float("nan"),
        float("inf"),
        1e300,
        "999999999w",
        "1e3s",
    ],
)
def test_nonsense_is_refused_with_a_cure(text):
    with pytest.raises(InvalidInput) as caught:
        durations.parse(text)
    assert caught.value.faults[0].message
    assert not durations.is_duration(text)


def test_the_fault_shows_how_to_write_it():
    with pytest.raises(InvalidInput, match=r"'soon' is not a duration. Write it like 2d, 1h30m, 10m, 30s or 500ms."):
        durations.parse("soon")


@pytest.mark.parametrize("text", ["2d", "1h30m", "1d1h1m1s1ms", "500ms", "0s"])
def test_the_canonical_text_is_stable(text):
    assert durations.to_text(durations.parse(text)) == text


def test_other_spellings_become_canonical():
    assert durations.to_text(durations.parse("90m")) == "1h30m"
    assert durations.to_text(durations.parse("1w")) == "7d"
    assert durations.to_text(timedelta(seconds=-90)) == "-1m30s"


@pytest.mark.parametrize("text", ["0s", "2d", "24h", "1d24h", "1d30m", "36h", "1h30m", "90d1h1m1s1ms"])
def test_days_and_the_rest_are_joined_as_they_were_split(text: str) -> None:
    assert durations.joined(*durations.split(text)) == text
