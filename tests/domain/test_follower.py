"""The follower on a real database and broker: what engines do, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from activities.secrets import set_secret
from config.models import Event
from releases.execution import attempts, following, lifecycle
from releases.execution.tick import tick
from releases.models import ActivityRun, Attempt, Release
from tests.builders import run_of, start, work
from tests.engine_double import EngineDouble, Reply, double
from tests.following import Jobs, jobs_connection, until
from tests.following import following as follows
from tests.messages import drain

pytestmark = pytest.mark.django_db(transaction=True)

ONE = """
id: shop
phases:
  - id: build
    activities:
      - {id: compile, automated: {connection: jobs, pipeline: job}, outputs: {image: {type: string}}}
"""


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def engine(jobs: Jobs) -> Iterator[EngineDouble]:
    with double(jobs) as engine:
        jobs_connection(engine.url)
        yield engine


def begin(text: str = ONE) -> Release:
    """A release that has begun now, its activities claimed by a worker."""
    release = start(text, now=timezone.now())
    work(release)
    return release


def state_of(release: Release, path: str = "build/compile") -> str:
    return run_of(release, path).state


def attempt_of(release: Release, path: str = "build/compile") -> Attempt:
    return Attempt.objects.filter(activity_run=run_of(release, path)).latest("number")


def test_a_worker_only_claims_what_is_reached_over_the_network(engine: EngineDouble) -> None:
    release = begin()
    run, attempt = run_of(release, "build/compile"), attempt_of(release)
    assert (run.state, run.next_look_at) == ("running", None)
    assert (attempt.status, attempt.connection) == ("running", "jobs")
    assert attempt.follow_at is not None
    assert engine.asked == []
    drain()
    tick(now=timezone.now() + timedelta(days=1))
    assert drain() == []


def test_it_is_started_followed_and_recorded(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        assert state_of(release) == "running"
        assert attempt_of(release).link == "https://jobs.example/1"
        jobs.jobs["1"].update(state="done", log="compiled\n")
        until(lambda: state_of(release) == "succeeded")
    run, attempt = run_of(release, "build/compile"), attempt_of(release)
    assert run.outputs == {"image": "shop:1"}
    assert (attempt.status, attempt.follow_at, attempt.log.text) == ("succeeded", None, "compiled\n")
    assert jobs.starts == 1
    assert jobs.jobs["1"]["got"]["key"].startswith(f"{run.pk}-1-")
    release.refresh_from_db()
    assert release.state == "succeeded"


def test_a_failure_is_recorded_with_the_engine_s_words_and_retried(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin(ONE.replace("pipeline: job}", "pipeline: job}, retry: {attempts: 2, delay: 0}"))
    with follows():
        until(lambda: attempt_of(release).reference == "1")
        jobs.jobs["1"].update(state="broken", why="3 tests failed")
        until(lambda: state_of(release) == "queued")
        work(release)
        until(lambda: attempt_of(release).reference == "2")
        jobs.jobs["2"].update(state="done")
        until(lambda: state_of(release) == "succeeded")
    assert list(Attempt.objects.order_by("number").values_list("status", "error")) == [
        ("failed", "3 tests failed"),
        ("succeeded", ""),
    ]


def test_a_refused_start_fails_at_once(engine: EngineDouble, jobs: Jobs) -> None:
    jobs.script["POST /jobs"] = [Reply(422, {"message": "No such branch"})]
    release = begin()
    with follows():
        until(lambda: state_of(release) == "on_hold")
    assert "No such branch" in run_of(release, "build/compile").error


def test_a_lost_answer_to_a_start_finds_what_was_started(engine: EngineDouble, jobs: Jobs, settings: Any) -> None:
    jobs.forgets = True
    jobs.script["POST /jobs"] = [Reply(hang_up=True)]
    release = begin()
    with follows():
        until(lambda: attempt_of(release).error)
        assert not attempt_of(release).reference
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: attempt_of(release).reference == "1")
    assert jobs.starts == 1
    assert len(jobs.jobs) == 1


def test_a_look_without_news_locks_no_release(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        before = jobs.looks
        Attempt.objects.update(follow_at=timezone.now())
        with transaction.atomic():
            Release.objects.select_for_update().get(pk=release.pk)
            until(lambda: jobs.looks >= before + 2)
    assert attempt_of(release).looks >= 2


def test_an_abort_cancels_at_the_engine(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        lifecycle.abort(release.pk, actor=None, now=timezone.now(), reason="Wrong version")
        until(lambda: jobs.cancelled == ["1"])
        until(lambda: attempt_of(release).status == "cancelled")
    assert attempt_of(release).follow_at is None


def test_what_was_never_started_is_cancelled_without_a_call(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    lifecycle.abort(release.pk, actor=None, now=timezone.now(), reason="Wrong version")
    with follows():
        until(lambda: attempt_of(release).status == "cancelled")
    assert engine.asked == []


def test_an_abort_during_a_start_cancels_what_was_started(engine: EngineDouble, jobs: Jobs) -> None:
    jobs.delay = 1.0
    release = begin()
    with follows():
        until(lambda: jobs.starts == 1)
        lifecycle.abort(release.pk, actor=None, now=timezone.now(), reason="Wrong version")
        until(lambda: jobs.cancelled == ["1"])
        until(lambda: attempt_of(release).status == "cancelled")


def test_a_timeout_ends_it_here_and_there(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin(ONE.replace("pipeline: job}", "pipeline: job}, timeout: 1h"))
    with follows():
        until(lambda: attempt_of(release).reference)
        ActivityRun.objects.update(deadline_at=timezone.now())
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: state_of(release) == "on_hold")
    assert attempt_of(release).status == "timed_out"
    assert jobs.cancelled == ["1"]


def test_a_timeout_that_the_engine_could_not_be_told_is_told_later(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin(ONE.replace("pipeline: job}", "pipeline: job}, timeout: 1h"))
    with follows():
        until(lambda: attempt_of(release).reference)
        jobs.script["POST /jobs/1/cancel"] = [Reply(503)]
        ActivityRun.objects.update(deadline_at=timezone.now())
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: attempt_of(release).status == "timed_out")
        assert "has not been told" in attempt_of(release).error
        until(lambda: attempt_of(release).cancel_at)
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: jobs.cancelled == ["1"])
        until(lambda: attempt_of(release).follow_at is None)
    assert attempt_of(release).status == "timed_out"


def test_an_engine_that_is_away_is_asked_again_and_told_about(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        jobs.script["GET /jobs/1"] = [Reply(503, {"message": "Down for upkeep"}), Reply(body=b"{", promised=5)]
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: "Down for upkeep" in attempt_of(release).error)
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: "broke off" in attempt_of(release).error)
        jobs.jobs["1"]["state"] = "done"
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: state_of(release) == "succeeded")
    assert attempt_of(release).error == ""


def test_a_limit_is_obeyed(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        jobs.script["GET /jobs/1"] = [Reply(429, {"message": "Slow down"}, {"Retry-After": "300"})]
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: "Slow down" in attempt_of(release).error)
        looks = len(engine.asked)
        Attempt.objects.update(follow_at=timezone.now())
        with pytest.raises(AssertionError):
            until(lambda: len(engine.asked) > looks, patience=2)


def test_a_run_that_vanished_fails(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        del jobs.jobs["1"]
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: state_of(release) == "on_hold")
    assert "No such job" in attempt_of(release).error


def test_a_sign_in_that_no_longer_works_does_not_fail_what_runs(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
        jobs.script["GET /jobs/1"] = [Reply(401, {"message": "Token expired"})]
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: "Token expired" in attempt_of(release).error)
        assert state_of(release) == "running"


def test_a_word_from_the_engine_makes_it_instant(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    jobs_connection(engine.url, every=3_600)
    with follows():
        until(lambda: attempt_of(release).reference)
        until(lambda: Attempt.objects.filter(follow_at__gt=timezone.now() + timedelta(minutes=5)).exists())
        jobs.jobs["1"]["state"] = "done"
        now = timezone.now()
        assert following.wake("other", ["1"], now=now) == 0
        assert following.wake("jobs", ["9"], now=now) == 0
        assert following.wake("jobs", ["1"], now=now) == 1
        following.wake("jobs", ["1"], now=now)
        until(lambda: state_of(release) == "succeeded", patience=5)


def test_a_connection_that_is_gone_fails_what_is_followed_there(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    Attempt.objects.update(connection="gone", reference="1")
    with follows():
        until(lambda: state_of(release) == "on_hold")
    assert "no connection 'gone'" in attempt_of(release).error


def test_a_dead_engine_does_not_delay_another(engine: EngineDouble, jobs: Jobs) -> None:
    with double(lambda _: Reply(delay=60)) as dead:
        jobs_connection(dead.url, slug="dead", limits={"concurrency": 500})
        many = ONE.replace("connection: jobs", "connection: dead").replace("id: shop", "id: other")
        many = many.replace("automated:", 'for_each: "${{ [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16] }}", automated:')
        begin(many)
        with follows(most=16):
            until(lambda: dead.open == 4)
            release = begin()
            until(lambda: attempt_of(release).reference, patience=5)
            jobs.jobs["1"]["state"] = "done"
            until(lambda: state_of(release) == "succeeded", patience=5)
        assert dead.most_open == 4


def test_a_timeout_at_an_engine_that_is_away_does_not_wait_for_it(engine: EngineDouble, jobs: Jobs) -> None:
    text = ONE.replace("pipeline: job}", "pipeline: job}, timeout: 1h")
    release = begin(text.replace("automated:", 'for_each: "${{ [1,2,3,4,5,6] }}", automated:'))
    with follows():
        until(lambda: Attempt.objects.exclude(reference="").count() == 6)
        jobs.script["GET /jobs/"] = [Reply(503)] * 1000
        jobs.script["POST /jobs/"] = [Reply(503)] * 1000
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: Attempt.objects.filter(error__contains="503").count() >= 3)
        ActivityRun.objects.filter(state="running", deadline_at__isnull=False).update(deadline_at=timezone.now())
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: Attempt.objects.filter(status="timed_out").count() == 6)
        until(lambda: Attempt.objects.filter(cancel_at__isnull=False).count() == 6)
        jobs.script.clear()
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: len(jobs.cancelled) == 6, patience=60)
    assert {run.state for run in ActivityRun.objects.filter(release=release, kind="automated", items__gt="")} == {
        "on_hold"
    }


def test_a_timeout_does_not_wait_for_a_secret_that_is_missing(engine: EngineDouble, jobs: Jobs) -> None:
    block = 'pipeline: job, parameters: {T: "${{ inputs.t }}"}}, timeout: 1h'
    release = start(ONE.replace("pipeline: job}", block), inputs={"t": {"secret": "unset"}}, now=timezone.now())
    work(release)
    with follows():
        until(lambda: "unset" in attempt_of(release).error)
        assert state_of(release) == "running"
        ActivityRun.objects.update(deadline_at=timezone.now())
        Attempt.objects.update(follow_at=timezone.now())
        until(lambda: attempt_of(release).status == "timed_out")
    assert "has no value" in attempt_of(release).error
    assert engine.asked == []


def test_secrets_are_sent_and_told_nowhere(engine: EngineDouble, jobs: Jobs) -> None:
    set_secret(None, "token", "t0p-s3cret")
    jobs_connection(engine.url, start={"path": "/jobs", "body": {"token": "{T}", "key": "{key}"}})
    block = 'pipeline: job, parameters: {T: "${{ inputs.t }}"}}'
    release = start(ONE.replace("pipeline: job}", block), inputs={"t": {"secret": "token"}}, now=timezone.now())
    work(release)
    with follows():
        until(lambda: attempt_of(release).reference)
        assert jobs.jobs["1"]["got"]["token"] == "t0p-s3cret"
        jobs.jobs["1"].update(state="broken", why="bad t0p-s3cret", log="+ curl -H t0p-s3cret\n", image="t0p-s3cret")
        until(lambda: state_of(release) == "on_hold")
    attempt = attempt_of(release)
    assert (attempt.error, attempt.log.text) == ("bad ***", "+ curl -H ***\n")
    assert "t0p-s3cret" not in f"{attempt.outputs}{attempt.inputs}{attempt.work}{list(Event.objects.values())}"


def test_two_followers_start_nothing_twice(engine: EngineDouble, jobs: Jobs) -> None:
    jobs.forgets, jobs.delay = True, 0.05
    numbers = ",".join(map(str, range(40)))
    release = begin(ONE.replace("automated:", f'for_each: "${{{{ [{numbers}] }}}}", automated:'))
    with follows(), follows():
        until(lambda: Attempt.objects.exclude(reference="").count() == 40)
        jobs.state = "done"
        until(lambda: Release.objects.get(pk=release.pk).state == "succeeded", patience=40)
    assert jobs.starts == 40


def test_what_a_provider_answers_late_changes_nothing(engine: EngineDouble, jobs: Jobs) -> None:
    release = begin()
    with follows():
        until(lambda: attempt_of(release).reference)
    run = run_of(release, "build/compile")
    attempts.look(release.pk, run.pk, run.attempt)
    assert attempt_of(release).follow_at is not None
    assert state_of(release) == "running"
