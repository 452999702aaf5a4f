"""What the terminal shows of a release: the tree of the API in lines, and a view that stays in its place."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pytest

from config.demo.screen import Lines, View, screen_for
from config.demo.words import coloured, flat, line_of, rows_of

BEGAN_AT = datetime.fromisoformat("2026-01-08T09:00:00+00:00")
NOW = BEGAN_AT + timedelta(seconds=5)


def an_activity(number: int, name: str, state: str, **more: Any) -> dict[str, Any]:
    begun = None if state in ("pending", "skipped") else BEGAN_AT.isoformat()
    ended = (BEGAN_AT + timedelta(seconds=2)).isoformat() if state == "succeeded" else None
    plain: dict[str, Any] = {"kind": "automated", "error": "", "phases": [], "items": [], "started_at": begun}
    return {**plain, "id": number, "name": name, "state": state, "opened_at": begun, "finished_at": ended, **more}


def a_phase(number: int, name: str, state: str, *activities: dict[str, Any]) -> dict[str, Any]:
    return an_activity(number, name, state, activities=list(activities))


# Build: Cart ✓, Scan (a subprocess: Verdict: Accept ◆) -> Ship: Deploy ○
TREE = {
    "state": "running",
    "phases": [
        a_phase(
            1,
            "Build",
            "running",
            an_activity(1, "Cart", "succeeded"),
            an_activity(
                2,
                "Scan",
                "running",
                kind="subprocess",
                phases=[a_phase(3, "Verdict", "running", an_activity(4, "Accept", "waiting", kind="manual"))],
            ),
        ),
        a_phase(2, "Ship", "pending", an_activity(3, "Deploy", "pending")),
    ],
}


def test_every_row_is_named_after_whatever_holds_it() -> None:
    places = [row.place for row in flat(rows_of(TREE))]
    assert places == [
        ("Build",),
        ("Build", "Cart"),
        ("Build", "Scan"),
        ("Build", "Scan", "Verdict"),
        ("Build", "Scan", "Verdict", "Accept"),
        ("Ship",),
        ("Ship", "Deploy"),
    ]


def test_a_line_says_sign_name_length_state_and_who_answered() -> None:
    by_name = {row.name: row for row in flat(rows_of(TREE))}
    assert line_of(by_name["Cart"], NOW) == "✓ Cart  2.0 s"
    assert line_of(by_name["Accept"], NOW) == "◆ Accept  5.0 s  waits for people"
    assert line_of(by_name["Cart"], NOW, ["sam approved"]) == "✓ Cart  2.0 s  sam approved"
    assert line_of(by_name["Deploy"], NOW) == "○ Deploy"


@pytest.mark.parametrize(
    ("state", "kind", "line"),
    [
        ("on_hold", "automated", "‖ X  5.0 s  on hold  exit status 1"),
        ("waiting", "signal", "◆ X  5.0 s  waits for a signal  exit status 1"),
        ("waiting", "wait", "◆ X  5.0 s  waits  exit status 1"),
        ("skipped", "automated", "- X  skipped  exit status 1"),
    ],
)
def test_a_state_that_its_sign_does_not_tell_is_written_out(state: str, kind: str, line: str) -> None:
    tree = {"phases": [a_phase(1, "P", "running", an_activity(1, "X", state, kind=kind, error="exit status 1"))]}
    assert line_of(rows_of(tree)[0].within[0], NOW) == line


def test_a_colour_changes_the_sign_only() -> None:
    assert coloured("  ✓ Cart ✓", "succeeded") == "  \x1b[32m✓\x1b[0m Cart ✓"
    assert coloured("  ○ Cart", "pending") == "  ○ Cart"


def lines_of(out: io.StringIO) -> list[str]:
    return [line[10:] for line in out.getvalue().splitlines()]


def test_lines_tell_what_changed_and_nothing_twice() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.show(TREE)
    lines.show(TREE)
    lines.tell(4, "sam approved")
    assert [line.partition("  ")[0] for line in lines_of(out)[:-1]] == [
        "● Build",
        "✓ Build / Cart",
        "● Build / Scan / Verdict",
        "◆ Build / Scan / Verdict / Accept",
    ]
    assert lines_of(out)[-1] == "  Accept / sam approved"
    assert "\x1b" not in out.getvalue()


def test_a_phase_ends_after_what_it_holds() -> None:
    done = {"phases": [a_phase(1, "P", "succeeded", an_activity(1, "X", "succeeded"))]}
    out = io.StringIO()
    Lines(out).show(done)
    assert lines_of(out) == ["✓ P / X  2.0 s", "✓ P  2.0 s"]


def test_the_view_opens_what_runs_and_stays_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "40")
    out = io.StringIO()
    view = View(out)
    view.show(TREE)
    first = out.getvalue()
    drawn = first.removeprefix("\x1b[J").splitlines()
    assert [line.split()[1] for line in drawn] == ["Build", "Cart", "Scan", "Verdict", "Accept", "Ship"]
    assert all(len(line) < 40 for line in drawn)
    view.tell(4, "sam approved")
    view.show(TREE)
    assert out.getvalue()[len(first) :].startswith("\x1b[6A\r\x1b[J")
    assert out.getvalue().endswith("    Accept: sam approved\n")


def test_the_view_ends_with_everything_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    view = View(out)
    view.show(TREE)
    view.tell(4, "sam approved")
    view.close()
    last = out.getvalue().rpartition("\x1b[J")[2].splitlines()
    assert last[-1].strip() == "○ Deploy"
    assert last[4].endswith("sam approved")


def test_only_a_terminal_gets_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(screen_for(terminal), View)
    assert isinstance(screen_for(io.StringIO()), Lines)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(screen_for(terminal), Lines)
