"""What is drawn of an attempt's progress, and what is left out of a document that does not fit."""

from __future__ import annotations

import random
from typing import Any

import pytest

from activities.providers.gate_curve import MOST_POINTS, curve_of, thinned
from activities.providers.gate_verdict import Rule, Standing, condition_in
from activities.runners import Outcome
from releases.reading.progress import HEIGHT, WIDTH, progress_of

AT = 1_795_773_600.0
RULE = Rule(condition_in("< 5"), 600, grace=60, step=60)


def drawn(dots: list[tuple[float, float | None]], **standing: Any) -> Any:
    curve = curve_of("errors", RULE, AT, AT + 600, Standing(**standing), dots)
    found = progress_of({"text": "Held 5m of 10m.", "share": 0.5, "curve": curve})
    assert found is not None
    return found


def test_a_curve_has_its_line_its_limit_and_where_it_broke() -> None:
    found = drawn([(AT, 1), (AT + 60, 2), (AT + 120, None), (AT + 300, 9)], broken_at=AT + 300)
    assert (found.text, found.percent) == ("Held 5m of 10m.", 50)
    assert found.curve.line.count("M") == 2
    assert [mark.text for mark in found.curve.limits] == ["5"]
    assert 0 < found.curve.broken < WIDTH
    assert [(row.value, row.is_bad) for row in found.curve.rows] == [("9", True), ("2", False), ("1", False)]
    assert found.curve.unjudged is not None


@pytest.mark.parametrize("value", [0.0, -3.0, 5.0, 1e308, -1e308, 1.7976931348623157e308])
def test_every_value_stays_inside_the_frame(value: float) -> None:
    found = drawn([(AT, value)])
    across, up = found.curve.last
    assert 0 <= across <= WIDTH
    assert 0 <= up <= HEIGHT


def test_thinning_keeps_every_peak_and_few_points() -> None:
    draw = random.Random(3)
    dots: list[tuple[float, float | None]] = [(AT + n, draw.random()) for n in range(9_000)]
    dots[4_321], dots[77], dots[5_000] = (AT + 4_321, 40.0), (AT + 77, -40.0), (AT + 5_000, None)
    found = thinned(dots)
    assert len(found) <= MOST_POINTS
    assert {dots[4_321], dots[77], dots[5_000]} <= set(found)
    assert found == sorted(found, key=lambda dot: dot[0])


@pytest.mark.parametrize(
    "document",
    [None, {}, {"text": ""}, {"curve": {"points": "x"}}, {"curve": [1]}, {"share": 7}, {"curve": {"points": [[1]]}}],
)
def test_what_is_no_progress_is_not_shown(document: Any) -> None:
    assert progress_of(document) is None


def test_what_cannot_be_stored_is_left_out_of_an_outcome() -> None:
    assert Outcome("running", progress={"share": float("nan")}).progress is None
    assert Outcome("running", progress={"text": "x" * 40_000}).progress is None
    assert Outcome("running", progress={"text": "a\x00b\ud800"}).progress == {"text": "a\ufffdb\ufffd"}
