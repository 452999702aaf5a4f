"""The provider `github` against a double of GitHub's API."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.engines import Called, Connected
from activities.providers.github import GitHubEngine
from activities.runners import Order, Outcome
from activities.web.client import Web
from config.errors import NotPermitted, RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.github_double import GitHub, archive, storage

KEY = "7-1-1700000000000000"
ENGINE = GitHubEngine()
ASKING = Asking(ENGINE, "gh-token")
ask, start = ASKING.ask, ASKING.start
FAILED = {
    "id": 9,
    "name": "test",
    "conclusion": "failure",
    "steps": [{"name": "Set up", "conclusion": "success"}, {"name": "Run tests", "conclusion": "failure"}],
}


@pytest.fixture
def github(settings: Any) -> Iterator[GitHub]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    github = GitHub()
    with double(github) as api, double(storage(github)) as there:
        github.storage = there.url
        github.url = api.url  # type: ignore[attr-defined]
        github.asked = api.asked  # type: ignore[attr-defined]
        yield github


def order_for(github: Any, *, pipeline: str = "deploy.yml", **rest: Any) -> Order:
    settings = {"url": github.url, "repository": "shop/cart", "key_input": "pilothouse", **rest.pop("settings", {})}
    parameters = rest.pop("parameters", {"version": "1.4.0"})
    given = {"started_at": datetime.now(UTC), "masks": ("gh-token",), **rest}
    return Order(KEY, settings, {"pipeline": pipeline}, "gh-token", parameters, **given)


def look(order: Order, reference: str, offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def test_a_dispatch_says_which_run_it_is(github: GitHub) -> None:
    outcome = start(order_for(github))
    assert (outcome.status, outcome.reference) == ("running", "100")
    assert outcome.link == "https://github.com/shop/cart/actions/runs/100"
    assert github.dispatched == [
        {"ref": "trunk", "inputs": {"version": "1.4.0", "pilothouse": KEY}, "return_run_details": True}
    ]


def test_an_older_github_says_nothing_and_the_run_is_found_by_its_key(github: GitHub) -> None:
    github.is_old = True
    order = order_for(github)
    outcome = start(order)
    assert outcome.reference == f"key:{KEY}"
    github.runs[100]["display_title"] = "Deploy"
    assert look(order, outcome.reference).reference == f"key:{KEY}"
    github.runs[100]["display_title"] = f"Deploy {KEY}"
    assert look(order, outcome.reference).reference == "100"
    assert len(github.dispatched) == 1
    late = replace(order, started_at=datetime.now(UTC) - timedelta(hours=1))
    github.runs.clear()
    assert "no run of it can be found" in look(late, outcome.reference).error


def test_a_lost_answer_finds_the_run_instead_of_starting_another(github: GitHub) -> None:
    github.lost = [Reply(hang_up=True)]
    order = order_for(github)
    with pytest.raises(RunnerUnavailable):
        start(order)
    again = start(replace(order, again=True))
    assert again.reference == "100"
    assert len(github.dispatched) == 1


def test_what_was_never_started_is_started_when_asked_again(github: GitHub) -> None:
    assert start(order_for(github, again=True)).reference == "100"
    assert len(github.dispatched) == 1


def test_without_a_key_in_the_name_a_lost_answer_is_left_to_a_person(github: GitHub) -> None:
    github.lost = [Reply(502)]
    order = replace(
        order_for(github), connection={"url": order_for(github).connection["url"], "repository": "shop/cart"}
    )
    with pytest.raises(RunnerUnavailable):
        start(order)
    with pytest.raises(RunnerRefused, match="key_input"):
        start(replace(order, again=True))
    assert len(github.dispatched) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "deploy.yml", "ref": "nowhere"}}, "No ref found"),
        ({"spec": {"pipeline": "absent.yml"}}, "Not Found"),
        ({"spec": {"pipeline": "../../user"}}, "one repository"),
        ({"spec": {"pipeline": "a?b"}}, "cannot be a workflow"),
        ({"secret": "wrong"}, "Bad credentials"),
    ],
)
def test_a_wrong_order_is_refused(github: GitHub, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        start(replace(order_for(github), **change))
    assert github.dispatched == []


def test_a_run_that_goes_well_hands_back_its_outputs(github: GitHub) -> None:
    order = order_for(github)
    start(order)
    assert look(order, "100").status == "running"
    github.artifacts[5] = archive(outputs__json=json.dumps({"image": "shop:1", "size": 12}).encode())
    github.finish(100, "success", {"id": 3, "name": "build", "conclusion": "success"})
    outcome = look(order, "100")
    assert (outcome.status, outcome.error) == ("succeeded", "")
    assert outcome.outputs == {"commit": "4f1c2ab", "image": "shop:1", "size": "12"}
    assert outcome.log.startswith("… (the beginning of 'build' is left out)\nline ")
    assert outcome.log.endswith("log of 3\n")
    assert len(outcome.log) < 70_000


@pytest.mark.parametrize(
    ("conclusion", "status"),
    [
        ("failure", "failed"),
        ("cancelled", "cancelled"),
        ("timed_out", "timed_out"),
        ("startup_failure", "failed"),
        ("skipped", "failed"),
        ("neutral", "succeeded"),
    ],
)
def test_each_conclusion_means_something(github: GitHub, conclusion: str, status: str) -> None:
    order = order_for(github)
    start(order)
    github.finish(100, conclusion)
    assert look(order, "100").status == status


def test_the_log_of_each_job_is_shown_as_soon_as_the_job_is_over(github: GitHub) -> None:
    order = order_for(github)
    start(order)
    github.runs[100]["status"] = "in_progress"
    build = {
        "id": 3,
        "name": "build",
        "status": "completed",
        "conclusion": "success",
        "completed_at": "2026-11-27T10:01:00Z",
    }
    test = {"id": 2, "name": "test", "status": "in_progress", "conclusion": None, "completed_at": None}
    github.jobs[100] = [test]
    assert look(order, "100").log == ""
    github.jobs[100] = [test, build, {**build, "id": 9, "name": "lint", "conclusion": "skipped"}]
    first = look(order, "100")
    assert (first.status, first.log.startswith("── build ──\n… (")) == ("running", True)
    assert first.log.endswith("log of 3\n")
    assert look(order, "100", first.log_offset).log == ""
    github.finish(100, "success", {**test, "conclusion": "success", "completed_at": "2026-11-27T10:02:00Z"}, build)
    last = look(order, "100", first.log_offset)
    assert (last.status, last.log.startswith("── test ──\n… (")) == ("succeeded", True)
    assert last.log.endswith("log of 2\n")


def test_a_job_that_is_told_of_later_though_it_ended_in_the_same_second_is_shown_after_the_first(
    github: GitHub,
) -> None:
    order, at = order_for(github), "2026-11-27T10:01:00Z"
    start(order)
    github.runs[100]["status"] = "in_progress"
    lint = {"id": 9, "name": "lint", "conclusion": "success", "completed_at": at}
    github.jobs[100] = [lint]
    first = look(order, "100")
    assert first.log.endswith("log of 9\n")
    github.jobs[100] = [{**lint, "id": 8, "name": "unit"}, lint]
    second = ASKING.look_on(order, "100", first)
    assert (second.log.startswith("── unit ──\n"), second.log.endswith("log of 8\n")) == (True, True)
    github.finish(100, "success", *github.jobs[100])
    assert ASKING.look_on(order, "100", second).log == ""


def test_a_failure_says_where_and_shows_the_log_of_the_job_that_failed(github: GitHub) -> None:
    order = order_for(github)
    start(order)
    github.finish(100, "failure", {"id": 3, "name": "build", "conclusion": "success"}, FAILED)
    outcome = look(order, "100")
    assert outcome.error == "Job 'test': failure at 'Run tests'"
    assert outcome.log.endswith("log of 9\n")


def test_a_bomb_or_rubbish_in_the_artifact_fails_the_attempt_with_a_reason(github: GitHub) -> None:
    order = order_for(github)
    start(order)
    github.finish(100, "success")
    bombs = {
        archive(outputs__json=b"0" * 50_000_000): "larger than",
        b"no zip": "cannot be read",
        archive(other__json=b"{}"): "no outputs.json",
        archive(outputs__json=b"[1]"): "not a mapping",
        archive(outputs__json=b"{"): "not JSON",
        archive(**{f"f{n}": b"" for n in range(1_001)}): "too many files",
    }
    for content, words in bombs.items():
        github.artifacts[5] = content
        outcome = look(order, "100")
        assert outcome.status == "failed"
        assert words in outcome.error


def test_a_run_that_was_deleted_has_failed(github: GitHub) -> None:
    assert "deleted" in look(order_for(github), "999").error


def test_a_run_that_has_not_changed_costs_nothing(github: GitHub) -> None:
    order = order_for(github)
    start(order)

    async def twice(web: Web) -> list[Outcome]:
        return [await ENGINE.look(order, "100", 0, web) for _ in range(3)]

    assert [outcome.status for outcome in ask(twice)] == ["running"] * 3
    assert github.not_modified == 2


def test_a_run_is_cancelled_by_its_id_or_its_key(github: GitHub) -> None:
    order = order_for(github)
    start(order)
    ask(lambda web: ENGINE.cancel(order, "100", web))
    ask(lambda web: ENGINE.cancel(order, "", web))
    assert github.cancelled == [100, 100]
    github.finish(100, "success")
    ask(lambda web: ENGINE.cancel(order, "100", web))
    ask(lambda web: ENGINE.cancel(order, "999", web))


def connected(github: Any, **settings: Any) -> Connected:
    return Connected("gh", {"url": github.url, "repository": "shop/cart", **settings}, "gh-token", ("gh-token",))


def test_a_connection_is_tested(github: GitHub) -> None:
    assert ask(lambda web: ENGINE.check(connected(github), web)) == (
        "GitHub knows us as octocat, who can see shop/cart."
    )
    with pytest.raises(RunnerError, match="Bad credentials"):
        ask(lambda web: ENGINE.check(replace(connected(github), secret="wrong"), web))
    with pytest.raises(RunnerError, match="404"):
        ask(lambda web: ENGINE.check(connected(github, repository="shop/none"), web))


def test_workflows_and_their_inputs_can_be_picked(github: GitHub) -> None:
    found = ask(lambda web: ENGINE.pipelines(connected(github), web, "dep"))
    assert [(one.id, one.name) for one in found] == [("deploy.yml", "Deploy")]
    of_owner = replace(connected(github), settings={"url": connected(github).settings["url"], "owner": "shop"})
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(of_owner, web, "cart/"))] == ["cart/deploy.yml"]
    wanted = connected(github, key_input="pilothouse")
    parameters = ask(lambda web: ENGINE.parameters(wanted, web, "deploy.yml"))
    assert [(one.name, one.type, one.default, one.options, one.is_required) for one in parameters] == [
        ("version", "string", "", (), True),
        ("dry", "boolean", "false", (), False),
        ("where", "enum", "staging", ("staging", "production"), False),
    ]


def call(body: bytes, *, secret: str = "hook", **headers: str) -> Called:
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Called({"x-hub-signature-256": signed, **headers}, body, datetime.now(UTC))


def test_a_signed_call_names_its_run() -> None:
    connection = Connected("gh", {"hook": {"secret": "hook"}})
    body = json.dumps({"action": "completed", "workflow_run": {"id": 100}}).encode()
    assert ENGINE.called(call(body), connection) == ["100"]
    assert ENGINE.called(call(b'{"workflow_job": {"run_id": 7}}'), connection) == ["7"]
    assert ENGINE.called(call(b'{"zen": "ping"}'), connection) == []
    assert ENGINE.called(call(b"[]"), connection) == []
    assert list(ENGINE.called(call(b"{"), connection)) == []


def test_any_other_call_is_refused() -> None:
    connection = Connected("gh", {"hook": {"secret": "hook"}})
    body = b'{"workflow_run": {"id": 100}}'
    for wrong in (
        call(body, secret="other"),
        replace(call(body), body=body + b" "),
        Called({}, body, datetime.now(UTC)),
        Called({"x-hub-signature-256": "sha256=\u00fc"}, body, datetime.now(UTC)),
    ):
        with pytest.raises(NotPermitted):
            ENGINE.called(wrong, connection)
    with pytest.raises(NotPermitted):
        ENGINE.called(call(body), Connected("gh", {}))
