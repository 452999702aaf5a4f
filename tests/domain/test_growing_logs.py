"""The log of a build, followed for real while it grows: what is kept of it, and that no secret is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from activities.models import Connection, Secret
from activities.runners import Outcome
from activities.secrets import set_secret
from releases.execution.attempts import Claim, record
from releases.execution.orders import KEPT_FOR_THE_END, MOST_LOG
from releases.models import Attempt, AttemptLog
from releases.tree import Key
from tests.buildbot_double import Buildbot
from tests.builders import run_of, start, work
from tests.engine_double import double
from tests.following import following, until

pytestmark = pytest.mark.django_db(transaction=True)

SHOP = """
id: shop
phases:
  - id: build
    activities:
      - {id: compile, automated: {connection: bots, pipeline: shop, parameters: {version: "1"}}}
"""
STEP: dict[str, Any] = {"stepid": 4, "name": "compile", "started_at": 1, "results": None}


@pytest.fixture
def buildbot(settings: Any) -> Iterator[Buildbot]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    buildbot = Buildbot()
    set_secret(None, "bots", "bb-secret")
    with double(buildbot) as api:
        place = {"url": api.url, "username": "bot"}
        secret = Secret.objects.get(name="bots")
        buildbot.asked = api.asked
        Connection.objects.create(slug="bots", name="Bots", provider="buildbot", settings=place, secret=secret)
        yield buildbot


def looked() -> str:
    """Have the follower look now, and return the log."""
    looks = Attempt.objects.get().looks
    Attempt.objects.filter(status="running").update(follow_at=timezone.now())
    until(lambda: Attempt.objects.get().looks > looks)
    return "".join(AttemptLog.objects.values_list("text", flat=True))


def test_lines_are_kept_while_the_build_runs_and_each_but_once(buildbot: Buildbot) -> None:
    release = start(SHOP, now=timezone.now())
    work(release)
    with following():
        until(lambda: Attempt.objects.get().reference)
        buildbot.finish(None)
        buildbot.steps, buildbot.logs[4] = [STEP], ["signing in with bb-secret"]
        assert looked() == "── compile ──\nsigning in with ***\n"
        buildbot.logs[4] += ["again: YmItc2VjcmV0"]
        assert looked() == "── compile ──\nsigning in with ***\nagain: ***\n"
        assert run_of(release, "build/compile").state == "running"
    with following():
        buildbot.logs[4] += ["done"]
        assert looked().endswith("done\n")
        buildbot.steps = [{**STEP, "results": 0}, {**STEP, "stepid": 5, "name": "rest", "started_at": 2}]
        looked()
        assert "rest" not in AttemptLog.objects.get().text, "it has written nothing yet"
        buildbot.logs[6] = ["early"]
        buildbot.steps.insert(0, {**STEP, "stepid": 6, "name": "beside", "started_at": 0.5, "results": 0})
        asked = len(buildbot.asked)
        looked()
        assert not [one.path for one in buildbot.asked[asked:] if "/steps/4/" in one.path], "it is read to its end"
        buildbot.steps[1]["results"] = 0
        buildbot.finish(0)
        until(lambda: run_of(release, "build/compile").state == "succeeded")
    assert "again: ***\ndone\n" in AttemptLog.objects.get().text
    assert AttemptLog.objects.get().text.count("signing in") == 1
    assert AttemptLog.objects.get().text.count("── beside ──\nearly\n") == 1


def test_of_a_log_without_end_the_beginning_and_the_end_are_kept(buildbot: Buildbot) -> None:
    release = start(SHOP, now=timezone.now())
    work(release)
    with following():
        until(lambda: Attempt.objects.get().reference)
        buildbot.finish(None)
        buildbot.steps, buildbot.logs[4] = [STEP], ["the beginning"]
        looked()
        AttemptLog.objects.update(text="x" * (MOST_LOG - KEPT_FOR_THE_END - 10))
        buildbot.logs[4] += ["y" * 1_000]
        assert len(looked()) == MOST_LOG - KEPT_FOR_THE_END
        buildbot.logs[4] += ["it does not hold"]
        buildbot.steps = [{**STEP, "results": 2}]
        buildbot.finish(2)
        until(lambda: run_of(release, "build/compile").state == "on_hold")
    assert AttemptLog.objects.get().text.endswith("it does not hold\n")
    assert "yyy\n… (something is left out)\n" in AttemptLog.objects.get().text


def test_an_end_that_was_seen_from_where_another_look_has_read_on_meanwhile_is_kept(buildbot: Buildbot) -> None:
    release = start(SHOP, now=timezone.now())
    work(release)
    with following():
        until(lambda: Attempt.objects.get().reference)
        buildbot.finish(None)
        buildbot.steps, buildbot.logs[4] = [STEP], ["one"]
        assert looked().endswith("one\n")
        log = AttemptLog.objects.get()
        run, attempt = run_of(release, "build/compile"), Attempt.objects.get()
        key, begun = Key(run.node), attempt.started_at
        claimed = Claim(release.pk, run.pk, 1, key, run.work, begun, log_offset=log.offset)
        AttemptLog.objects.update(text=f"{log.text}two\n", offset=log.offset + 4)
    over = Outcome("failed", "1", log="two\nthis is why\n", log_offset=log.offset + 1)
    record(claimed, over, now=timezone.now())
    assert AttemptLog.objects.get().text.endswith("one\ntwo\ntwo\nthis is why\n")
    assert AttemptLog.objects.get().offset == log.offset + 4
