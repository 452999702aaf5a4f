"""When a release is expected to end, drawn and asked at nine o'clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from releases.forecast import Forecast, Length, Run, forecast, history_path, lengths_of, plan, unstarted
from releases.tree import ROOT, Key
from tests.pure.trees import Drawing, Part, automated, draw, for_each, manual, phase, subprocess

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return NINE.replace(hour=int(hours), minute=int(minutes))


def minutes(drawing: Drawing, **lengths: float) -> list[Length]:
    """Lengths by the last word of a path; those that are not named are unknown."""
    known = {name.replace("_", "-"): 60.0 * length for name, length in lengths.items()}
    names = [str(node.doc["path"]).rpartition("/")[2] for node in drawing.tree.nodes]
    return [Length(known[name], "history") if name in known else Length() for name in names]


def now_is(drawing: Drawing, clock: str, lengths: list[Length], **runs: Run) -> Forecast:
    """The forecast when some runs are not pending any more, named by the last word of their paths."""
    known = {Key(node.ordinal): Run() for node in drawing.tree.nodes if node.depth == 0}
    for node in drawing.tree.nodes:
        name = str(node.doc["path"]).rpartition("/")[2].replace("-", "_")
        if name in runs and Key(node.ordinal) in known:
            known[Key(node.ordinal)] = runs[name]
    return forecast(drawing.tree, known, lengths, at(clock))


def names(drawing: Drawing, keys: tuple[Key, ...]) -> list[str]:
    return [str(drawing.tree[key].doc["path"]) for key in keys]


#  build(compile ──> pack) ──> test(unit, slow) ──> ship(go)
LINE = draw(
    phase("build", automated("compile"), automated("pack", needs="compile")),
    phase("test", automated("unit"), automated("slow"), needs="build"),
    phase("ship", automated("go"), needs="test"),
)
LENGTHS = minutes(LINE, compile=10, pack=5, unit=5, slow=20, go=1)


def done(begin: str, end: str, state: str = "succeeded") -> Run:
    return Run(state, started_at=at(begin), finished_at=at(end))


def busy(begin: str, state: str = "running") -> Run:
    return Run(state, started_at=at(begin))


@pytest.mark.parametrize(
    ("what", "clock", "runs", "ends"),
    [
        ("before anything has begun", "9:00", {}, "9:36"),
        ("as long as nothing begins, the end moves away", "9:10", {}, "9:46"),
        ("what has run for a while counts the rest", "9:06", {"compile": busy("9:00")}, "9:36"),
        ("what outlasts its length may end any moment", "9:30", {"compile": busy("9:00")}, "9:56"),
        ("what was quick brings the end nearer", "9:02", {"compile": done("9:00", "9:02")}, "9:28"),
        ("on hold, it is tried again from now", "9:20", {"compile": busy("9:00", "on_hold")}, "9:56"),
        ("a skipped one takes no time", "9:00", {"slow": Run("skipped", finished_at=NINE)}, "9:21"),
        ("it starts not before it opens", "9:00", {"go": Run(not_before=at("11:00"))}, "11:01"),
        ("a wait that is under way knows its end", "9:00", {"slow": Run("waiting", ends_at=at("10:00"))}, "10:01"),
    ],
)
def test_the_end_of_a_line(what: str, clock: str, runs: dict[str, Run], ends: str) -> None:
    assert now_is(LINE, clock, LENGTHS, **runs).finish_at == at(ends)


def test_the_critical_path_is_what_the_end_waits_for() -> None:
    found = plan(LINE.tree, LENGTHS, NINE)
    assert names(LINE, found.critical) == ["build/compile", "build/pack", "test/slow", "ship/go"]
    assert (found.unknown, found.is_rough) == ((), False)


def test_what_has_passed_stays_as_it_was() -> None:
    found = now_is(LINE, "9:30", LENGTHS, compile=done("9:00", "9:08"), pack=done("9:09", "9:25"))
    spans = {str(LINE.tree[key].doc["path"]): span for key, span in found.spans.items()}
    assert (spans["build/pack"].starts_at, spans["build/pack"].ends_at) == (at("9:09"), at("9:25"))
    assert (spans["build/pack"].has_begun, spans["build/pack"].is_over) == (True, True)
    assert (spans["test/slow"].starts_at, spans["test/slow"].ends_at) == (at("9:30"), at("9:50"))
    assert (spans["test/slow"].has_begun, spans["test"].ends_at) == (False, at("9:50"))


def test_a_release_that_is_over_ends_when_it_ended() -> None:
    runs = {key: Run("succeeded", started_at=NINE, finished_at=at("9:10")) for key in unstarted(LINE.tree)}
    runs[ROOT] = Run("succeeded", started_at=NINE, finished_at=at("9:12"))
    found = forecast(LINE.tree, runs, LENGTHS, at("18:00"))
    assert (found.finish_at, found.unknown) == (at("9:12"), ())


ANY = draw(
    phase("a", automated("quick")), phase("b", automated("slow")), phase("c", automated("go"), needs="a b", any=True)
)
SETTLED = draw(phase("a", automated("quick")), phase("b", automated("tidy"), needs="a", after_settled=True))
NESTED = draw(phase("a", subprocess("sub", phase("x", automated("quick")), phase("y", automated("slow"), needs="x"))))
EACH = draw(phase("a", for_each(automated("quick"), 3), automated("go", needs="quick")))


@pytest.mark.parametrize(
    ("what", "drawing", "ends"),
    [
        ("needs any: the first is enough, yet the release ends with the last", ANY, "9:20"),
        ("after settled comes after it all the same", SETTLED, "9:07"),
        ("a subprocess is as long as what it holds", NESTED, "9:25"),
        ("a loop that has not opened counts as one of its items", EACH, "9:06"),
    ],
)
def test_other_shapes(what: str, drawing: Drawing, ends: str) -> None:
    lengths = minutes(drawing, quick=5, slow=20, go=1, tidy=2)
    assert plan(drawing.tree, lengths, NINE).finish_at == at(ends)


def test_needs_any_starts_with_the_first() -> None:
    found = plan(ANY.tree, minutes(ANY, quick=5, slow=20, go=1), NINE)
    go = next(key for key in found.spans if ANY.tree[key].doc["path"] == "c/go")
    assert found.spans[go].starts_at == at("9:05")


@pytest.mark.parametrize(
    ("parallel", "ends"), [(None, "9:10"), (1, "9:50"), (2, "9:30"), (3, "9:20"), (5, "9:10"), (9, "9:10")]
)
def test_a_loop_runs_so_many_items_at_once(parallel: int | None, ends: str) -> None:
    drawing = draw(phase("a", for_each(automated("each"), 5, parallel=parallel)))
    loop = next(node.ordinal for node in drawing.tree.nodes if node.kind == "for_each")
    runs = {**unstarted(drawing.tree), Key(loop): Run("running", count=5, started_at=NINE)}
    runs |= {key: Run() for key in drawing.tree.children(Key(loop), 5)}
    assert forecast(drawing.tree, runs, minutes(drawing, each=10), NINE).finish_at == at(ends)


def test_what_nobody_knows_makes_it_the_earliest_end() -> None:
    found = plan(LINE.tree, minutes(LINE, compile=10), NINE)
    assert found.finish_at == at("9:10")
    assert names(LINE, found.unknown) == ["build/pack", "test/unit", "test/slow", "ship/go"]
    slow = now_is(LINE, "9:22", LENGTHS, compile=busy("9:00"))
    assert names(LINE, slow.unknown) == ["build/compile"]
    assert now_is(LINE, "9:20", LENGTHS, compile=busy("9:00")).unknown == ()
    held = now_is(LINE, "9:00", LENGTHS, compile=busy("8:00", "on_hold"))
    assert names(LINE, held.unknown) == ["build/compile"]


MOMENT = "2026-03-02T10:00:00Z"
TASKS = [
    {"groups": ["qa"], "expected_duration": 600.0},
    {"groups": ["qa"], "expected_duration": 300.0},
    {"groups": ["ops"], "expected_duration": 1200.0},
    {"groups": ["ops"], "expected_duration": None},
]


@pytest.mark.parametrize(
    ("what", "part", "doc", "history", "length"),
    [
        ("the past knows best", automated("x"), {"timeout": 60.0}, {"a/x": 12.0}, Length(12, "history")),
        ("else its timeout", automated("x"), {"timeout": 60.0}, {}, Length(60, "timeout")),
        ("else nobody", automated("x"), {}, {}, Length()),
        ("a timeout nobody can read yet", automated("x"), {"timeout": "${{ inputs.t }}"}, {}, Length()),
        ("tasks of one group add up", manual("x"), {"spec": {"tasks": TASKS}}, {}, Length(1200, "expected")),
        (
            "tasks before the timeout",
            manual("x"),
            {"spec": {"tasks": TASKS[:2]}, "timeout": 5.0},
            {},
            Length(900, "expected"),
        ),
        ("a wait", Part("wait", "x"), {"spec": {"wait": 90.0}}, {}, Length(90, "expected")),
        (
            "a wait for a moment",
            Part("wait", "x"),
            {"spec": {"wait": MOMENT}},
            {},
            Length(0, "expected", at("10:00")),
        ),
        ("a wait of a length to be read", Part("wait", "x"), {"spec": {"wait": "${{ 5 }}"}}, {}, Length()),
    ],
)
def test_how_long_something_takes(
    what: str, part: Part, doc: dict[str, object], history: dict[str, float], length: Length
) -> None:
    drawing = draw(phase("a", part))
    drawing.nodes[2].update(doc)
    assert lengths_of(drawing.tree, history)[2] == length


def test_a_wait_for_a_moment_is_over_then() -> None:
    drawing = draw(phase("a", Part("wait", "x", spec={"wait": MOMENT}), automated("go", needs="x")))
    assert plan(drawing.tree, lengths_of(drawing.tree, {"a/go": 60.0}), NINE).finish_at == at("10:01")


def test_the_items_of_a_loop_have_a_past_of_their_own() -> None:
    drawing = draw(phase("a", for_each(automated("x"), 2)))
    assert [history_path(node) for node in drawing.tree.nodes[2:]] == ["a/x", "a/x[]"]
    lengths = lengths_of(drawing.tree, {"a/x": 100.0, "a/x[]": 50.0})
    assert [length.seconds for length in lengths[2:]] == [100.0, 50.0]
    assert lengths_of(drawing.tree, {"a/x[]": 50.0})[2] == Length(50, "history")


def test_thousands_of_runs_take_a_moment() -> None:
    drawing = draw(phase("a", for_each(automated("x"), 3000, parallel=1)))
    runs = {**unstarted(drawing.tree), Key(2): Run("running", count=3000, started_at=NINE)}
    runs |= {key: Run() for key in drawing.tree.children(Key(2), 3000)}
    assert forecast(drawing.tree, runs, minutes(drawing, x=1), NINE).finish_at == NINE + timedelta(minutes=3000)
