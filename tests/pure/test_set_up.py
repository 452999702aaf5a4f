"""Keys, sentences and log lines, without a server."""

from __future__ import annotations

import logging
import stat
import threading
from pathlib import Path

import pytest

from config.embedded import State
from config.errors import SetUpFailed
from config.keys import own_key
from config.logs import Line
from config.servers import explain


def test_a_key_is_made_once_and_kept_to_oneself(tmp_path: Path) -> None:
    first = own_key(tmp_path / "state", "secret-key")
    assert len(first) >= 50
    assert own_key(tmp_path / "state", "secret-key") == first
    assert stat.S_IMODE((tmp_path / "state" / "secret-key").stat().st_mode) == 0o600
    assert [entry.name for entry in (tmp_path / "state").iterdir()] == ["secret-key"]


def test_processes_that_ask_together_get_the_same_key(tmp_path: Path) -> None:
    found: list[str] = []
    asking = [threading.Thread(target=lambda: found.append(own_key(tmp_path, "key"))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_that_cannot_be_kept_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(SetUpFailed, match="Cannot keep the key"):
        own_key(tmp_path / "state", "key")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ('FATAL:  could not write to file "pg_wal/x": No space left on device', "the disk that holds {} is full."),
        (
            'FATAL:  could not open file "PG_VERSION": Permission denied',
            "a file in {} may not be read or written by this user; the log is {}/server.log.",
        ),
        (
            'FATAL:  lock file "postmaster.pid" already exists\nHINT:  Is another postmaster running?',
            "another server already uses {}.",
        ),
        ("FATAL:  something new\nHINT:  look closer", "FATAL:  something new (log: {}/server.log)"),
        ("", "it gave no reason (log: {}/server.log)"),
    ],
)
def test_a_server_s_log_becomes_a_sentence(tmp_path: Path, written: str, sentence: str) -> None:
    log = tmp_path / "server.log"
    log.write_text(written)
    assert explain(log, State(tmp_path)) == sentence.replace("{}", str(tmp_path))


def test_a_log_line_holds_moment_level_place_message_and_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "releases", "levelname": "INFO", "msg": "Started %s", "args": ("R-1",), "created": 1_780_000_000.5}
        | {"release": 1, "why": "two words"}
    )
    assert Line().format(record) == "2026-05-28T20:26:40.500Z INFO releases: Started R-1 release=1 why='two words'"
