"""The verdict of a gate: the table of docs/gates.md, and what no table can say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from activities.providers.gate_verdict import Point, Rule, Standing, condition_in, judge
from config import durations
from config.errors import InvalidInput
from tests.pure.doc_tables import tables

BEGAN = 1_795_773_600.0
ROWS = tables("gates.md")["Table"]


def points_of(samples: str) -> Iterator[Point]:
    for index, sample in enumerate(samples.split()):
        values = {f"s{n}": float(text) for n, text in enumerate(sample.split("/")) if text != "-"}
        yield Point(BEGAN + 60 * index, values)


def rule_of(row: dict[str, str]) -> Rule:
    tolerated = row["tolerate"]
    patience = 60 * int(tolerated) if tolerated.isdecimal() else durations.seconds(tolerated)
    return Rule(condition_in("< 5"), durations.seconds(row["hold_for"]), patience, durations.seconds(row["grace"]),
                row["no_data"], 60)  # type: ignore[arg-type]  # fmt: skip


def words_of(standing: Standing) -> str:
    def minutes(at: float | None) -> str:
        assert at is not None
        return f"{round((at - BEGAN) / 60)}m"

    if standing.status == "succeeded":
        return f"succeeded at {minutes(standing.at)}"
    if standing.status == "failed":
        return f"failed at {minutes(standing.at)}, broken at {minutes(standing.broken_at)}"
    return "running, no data" if standing.kind == "nothing" else f"running, held {round(standing.held / 60)}m"


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row.values()) for row in ROWS])
def test_each_row_of_the_documentation_holds(row: dict[str, str]) -> None:
    points = list(points_of(row["samples"]))
    standing, _ = judge(rule_of(row), BEGAN, points[-1].at, points)
    assert words_of(standing) == row["outcome"]


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row.values()) for row in ROWS])
def test_looks_on_the_way_and_ones_that_go_on_from_the_last_come_to_the_same_end(row: dict[str, str]) -> None:
    rule, points = rule_of(row), list(points_of(row["samples"]))
    ends = [judge(rule, BEGAN, point.at, points[: n + 1])[0] for n, point in enumerate(points)]
    first = next((words_of(end) for end in ends if end.status != "running"), words_of(ends[-1]))
    assert first == row["outcome"]


def test_one_point_at_a_time_comes_to_the_same_as_all_at_once() -> None:
    draw = random.Random(7)
    for _ in range(300):
        rule = Rule(condition_in("< 5"), draw.choice([0, 120, 300]), draw.choice([0, 60, 120]), draw.choice([0, 60]),
                    "wait", 60)  # fmt: skip
        points = [Point(BEGAN + 60 * n, {"": draw.choice([1.0, 2.0, 9.0])}) for n in range(12)]
        whole, turns = judge(rule, BEGAN, points[-1].at, points)
        standing, found = Standing(), []
        for point in points:
            kept = Standing(**json.loads(json.dumps(standing.as_document())))
            standing, more = judge(rule, BEGAN, point.at, [point, point], kept)
            found += more
        assert (standing, found) == (whole, turns)


def test_turns_are_told_once_each_with_what_broke() -> None:
    rule = Rule(condition_in("<= 5"), 600, 180, step=60)
    points = list(points_of("1/2 1/3 9/7 1/1 - - - - 2/2"))
    _, turns = judge(rule, BEGAN, points[-1].at, points)
    told = [(round((turn.at - BEGAN) / 60), turn.kind, turn.by) for turn in turns]
    broken = (2, "broken", "s0 = 9 and 1 more")
    assert told == [(0, "held", ""), broken, (3, "held", ""), (4, "nothing", ""), (8, "held", "")]


def test_points_of_before_and_after_are_left_out() -> None:
    rule = Rule(condition_in("< 5"), 60, step=60)
    points = [Point(BEGAN - 60, {"": 9.0}), Point(BEGAN, {"": 1.0}), Point(BEGAN + 60, {"": 9.0})]
    assert judge(rule, BEGAN, BEGAN + 30, points)[0].held == 0
    assert judge(rule, BEGAN, BEGAN + 30, points)[0].status == "running"


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("< 0.01", [0.0099, -3], [0.01, 7]),
        ("<=5", [5, 4], [5.001]),
        ("> 0", [1e-9], [0, -1]),
        (">= -1.5e3", [-1500, 0], [-1501]),
        ("== 0", [0, -0.0], [0.1, -1]),
        ("!= 0", [1, -1], [0]),
        ("between 1 and 3", [1, 2, 3], [0.9, 3.1]),
        (" between  1  and  1 ", [1], [2]),
    ],
)
def test_a_condition_says_what_holds(text: str, good: list[float], bad: list[float]) -> None:
    condition = condition_in(text)
    assert [condition.holds(value) for value in good] == [True] * len(good)
    assert [condition.holds(value) for value in [*bad, float("nan")]] == [False] * (len(bad) + 1)


@pytest.mark.parametrize("text", ["", "0.01", "< x", "=> 1", "between 3 and 1", "< 1 < 2", "< 1e999", "< nan", "= 0"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        condition_in(text)
    assert "between 1 and 3" in error.value.faults[0].cure
