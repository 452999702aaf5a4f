"""`manage.py run` starts everything, keeps it running and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from config.embedded import State
from tests import ready_made
from tests.system.installation import Installation, processes_of, wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    ready_made.furnish(State(tmp_path / "state"), settings.STATE)
    made = Installation(tmp_path / "state")
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def nothing_is_left_of(installation: Installation) -> bool:
    return not processes_of(installation.folder)


def kill_and_wait_for_another(installation: Installation, words: str) -> None:
    old = installation.children(words)
    assert old
    os.kill(min(old), signal.SIGKILL)
    wait_until(lambda: bool(set(installation.children(words)) - set(old)), f"a new {words}")


def test_everything_starts_survives_a_dead_child_and_stops_without_a_trace_killed_or_asked(
    installation: Installation,
) -> None:
    installation.start()
    assert installation.is_ready()
    wait_until(lambda: "Sample log-ins" in installation.output(), "the log-ins are shown")
    assert "Made the sample" in installation.output()

    for words in ("config.celery worker", "config.celery beat", "config.web"):
        kill_and_wait_for_another(installation, words)
    wait_until(installation.is_ready, "the new web process answers")

    second = installation.command("run")
    assert second.returncode == 1
    assert second.stderr.strip() == f"Pilothouse already runs on {installation.folder}: stop it first."

    assert len(processes_of(installation.folder)) > 5
    installation.stop(signal.SIGKILL)
    wait_until(lambda: nothing_is_left_of(installation), "every process ends", patience=15)

    began_at = time.monotonic()
    installation.start()
    assert time.monotonic() - began_at < 30
    assert "Made the sample" not in installation.output()
    assert installation.stop(signal.SIGINT) == 0
    assert nothing_is_left_of(installation)


def test_a_taken_port_is_told_in_one_sentence_before_anything_starts(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", installation.port))
        taken.listen()
        refused = installation.command("run")
    assert refused.returncode == 1
    assert refused.stderr.strip().startswith(f"Port {installation.port} is taken: ")
    assert nothing_is_left_of(installation)


@pytest.mark.django_db(transaction=True)
def test_no_sample_people_are_made_in_a_database_of_ones_own(installation: Installation) -> None:
    own = settings.STATE.database_url.replace("/pilothouse?", f"/{connection.settings_dict['NAME']}?")
    installation.environment["DATABASE_URL"] = own
    installation.start()
    wait_until(installation.is_ready, "database and broker answer")
    assert installation.stop() == 0
    assert "sample" not in installation.log.read_text().lower()
    assert not User.objects.exists()


def test_a_database_that_does_not_answer_is_told_in_one_sentence(installation: Installation, tmp_path: Path) -> None:
    installation.environment["DATABASE_URL"] = f"postgresql://nobody@/nothing?host={tmp_path}"
    installation.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    refused = installation.command("run")
    assert refused.returncode == 1
    assert refused.stderr.startswith("The database cannot be reached: ")
    assert refused.stderr.count("\n") == 1
