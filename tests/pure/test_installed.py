"""Servers for the tests are installed once, and what keeps one from being installed is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import installed
from tests.installed import CannotBeHad


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "FOLDER", tmp_path)


def test_a_server_is_installed_once_and_one_that_was_cut_off_again() -> None:
    calls: list[Path] = []
    for _ in range(2):
        place = installed.installed("a", calls.append)
    assert calls == [place]
    (place / "ready").unlink()
    installed.installed("a", calls.append)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-program", "x"), "there is no no-such-program here"),
        (("sh", "-c", "echo starting; echo 'no network' >&2; exit 1"), "failed: no network"),
        (("false",), "'false' failed: it said nothing"),
    ],
)
def test_what_keeps_it_from_being_installed_is_said(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(CannotBeHad, match=words):
        installed.installed("a", lambda place: installed.run(*command))
    assert not (installed.FOLDER / "a" / "ready").exists()
