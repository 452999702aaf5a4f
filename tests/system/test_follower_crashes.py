"""A follower that is killed between a call and its record: nothing is started twice, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from config.embedded import ROOT
from releases.models import Attempt, Release
from tests.builders import start, work
from tests.engine_double import double
from tests.following import Jobs, jobs_connection, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.system]

MANY = """
id: shop
phases:
  - id: build
    activities:
      - {id: compile, for_each: "${{ [%s] }}", automated: {connection: jobs, pipeline: job}}
"""


@contextmanager
def follower() -> Iterator[subprocess.Popen[bytes]]:
    """A real process that follows, killed at the end of the block at the latest."""
    allowed = {"PILOTHOUSE_OUTBOUND_ALLOW": "127.0.0.1", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, str(ROOT / "manage.py"), "follow", "--lease", "3", "--within", "2"]
    process = subprocess.Popen(command, env={**os.environ, **allowed}, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def begin(count: int) -> Release:
    release = start(MANY % ",".join(map(str, range(count))), now=timezone.now())
    work(release)
    return release


def has_jobs(jobs: Jobs, count: int) -> bool:
    return len(jobs.jobs) >= count


@pytest.mark.parametrize("forgets", [False, True])
def test_a_follower_killed_in_the_middle_of_starts_starts_nothing_twice(settings: Any, forgets: bool) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    jobs = Jobs(forgets=forgets)
    with double(jobs) as engine:
        jobs_connection(engine.url)
        release = begin(30)
        for last in (5, 12, 20):
            jobs.delay = 0.3
            with follower() as process:
                until(partial(has_jobs, jobs, last), patience=60)
                process.send_signal(signal.SIGKILL)
                process.wait(10)
        with follower() as process:
            jobs.delay, jobs.state = 0.0, "done"
            until(lambda: Release.objects.get(pk=release.pk).state == "succeeded", patience=60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    assert len(jobs.jobs) == 30
    assert len(set(Attempt.objects.values_list("reference", flat=True))) == 30
    assert not Attempt.objects.filter(number__gt=1).exists()
