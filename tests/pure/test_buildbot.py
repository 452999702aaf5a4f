"""The provider `buildbot` against a double of Buildbot; tests/system has a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Called, Connected
from activities.providers.buildbot import BuildbotEngine
from activities.runners import Order, Outcome
from config.errors import NotPermitted, RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.buildbot_double import Buildbot
from tests.engine_double import Reply, double

KEY = "7-1-1700000000000000"
NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
ENGINE = BuildbotEngine()
ASKING = Asking(ENGINE, "bb-secret")
ask, start = ASKING.ask, ASKING.start


@pytest.fixture
def buildbot(settings: Any) -> Iterator[Buildbot]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    buildbot = Buildbot()
    with double(buildbot) as api:
        buildbot.url, buildbot.asked = api.url, api.asked
        yield buildbot


def order_for(buildbot: Buildbot, *, pipeline: str = "shop", **rest: Any) -> Order:
    settings = {"url": buildbot.url, "username": "bot", **rest.pop("settings", {})}
    parameters = rest.pop("parameters", {"version": "1.4.0"})
    return Order(KEY, settings, {"pipeline": pipeline}, "bb-secret", parameters, started_at=NOW, **rest)


def look(order: Order, reference: str = "1", offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def test_a_build_is_forced_with_typed_fields_and_the_key_in_its_reason(buildbot: Buildbot) -> None:
    parameters = {"version": "1.4.0", "dry": "true", "tags": '["a", "b"]', "reason": "a new one"}
    outcome = start(order_for(buildbot, pipeline="shop/deploy", parameters=parameters))
    assert (outcome.status, outcome.reference) == ("running", "1")
    assert outcome.link == f"{buildbot.url}/#/buildrequests/1?redirect_to_build=true"
    fields = {"version": "1.4.0", "dry": True, "tags": ["a", "b"], "builderNames": ["deploy"]}
    assert buildbot.forced == [{**fields, "reason": f"a new one Pilothouse {KEY}"}]


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(200, b'{"jsonrpc"'), Reply(200, promised=9)])
def test_a_lost_answer_finds_the_buildset_by_its_reason(buildbot: Buildbot, lost: Reply) -> None:
    buildbot.lost = [lost]
    order = order_for(buildbot)
    with pytest.raises(RunnerUnavailable):
        start(order)
    again = start(replace(order, again=True))
    assert (again.reference, len(buildbot.forced)) == ("1", 1)
    assert again.link.endswith("/buildrequests/1?redirect_to_build=true")


def test_what_was_never_started_is_started_when_asked_again(buildbot: Buildbot) -> None:
    assert start(order_for(buildbot, again=True)).reference == "1"


def test_a_fixed_reason_leaves_a_lost_answer_to_a_person(buildbot: Buildbot) -> None:
    buildbot.reason, buildbot.lost = "fixed", [Reply(502)]
    order = order_for(buildbot)
    with pytest.raises(RunnerUnavailable):
        start(order)
    with pytest.raises(RunnerRefused, match="not a fixed one"):
        start(replace(order, again=True))
    buildbot.buildsets.clear()
    assert start(replace(order, again=True)).reference == "2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "absent"}}, "no force scheduler 'absent'"),
        ({"spec": {"pipeline": "shop/absent"}}, "does not force 'absent'"),
        ({"parameters": {"unheard": "1"}}, "no field of these names: unheard"),
        ({"parameters": {"builderNames": "x"}}, "no field of these names: builderNames"),
        ({"parameters": {"version": ""}}, "version: A value is required"),
        ({"secret": "wrong"}, "401"),
        ({"secret": None}, "you need to have role 'admins'"),
    ],
)
def test_a_wrong_order_is_refused(buildbot: Buildbot, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        start(replace(order_for(buildbot), **change))
    buildbot.is_enabled = False
    with pytest.raises(RunnerRefused, match="disabled"):
        start(order_for(buildbot))
    assert buildbot.forced == []


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (None, "running"), (0, "succeeded"), (1, "failed"), (2, "failed"), (3, "failed"), (4, "failed"), (5, "failed"),
        (6, "cancelled"), (7, "failed"), (-1, "failed"),
    ],
)  # fmt: skip
def test_each_result_means_something(buildbot: Buildbot, results: int | None, status: str) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.finish(results)
    assert look(order).status == status


def test_a_request_that_was_merged_is_no_success_though_its_buildset_is(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.finish(0)
    buildbot.requests[1]["results"] = 3
    assert look(order).status == "failed"
    buildbot.builds.clear()
    assert "collapseRequests=False" in look(order).error
    buildbot.requests.clear()
    assert (look(order).status, look(order).error) == ("failed", "Buildbot says: success; nothing was built.")


def test_warnings_are_a_success_only_where_the_connection_says_so(buildbot: Buildbot) -> None:
    order = order_for(buildbot, settings={"accept_warnings": True})
    start(order)
    buildbot.finish(1)
    assert (look(order).status, look(order).error) == ("succeeded", "")


def test_a_build_that_goes_well_hands_back_its_outputs(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.finish(0)
    buildbot.steps = [
        {"stepid": 3, "name": "say", "started_at": 1, "results": 0},
        {"stepid": 91, "name": "hand", "started_at": 2, "results": 0},
    ]
    for handed in ({"image": "shop:1", "size": 12}, '{"image": "shop:1", "size": 12}\n'):
        buildbot.properties = {"got_revision": ["4f1c2ab", "Git"], "pilothouse_outputs": [handed, "hand"]}
        outcome = look(order)
        assert (outcome.status, outcome.error) == ("succeeded", "")
        assert outcome.outputs == {"commit": "4f1c2ab", "image": "shop:1", "size": "12"}
    assert outcome.log.startswith("… (the beginning of 'say' is left out)\nline ")
    assert outcome.log.endswith("log of 3\n")
    buildbot.properties = {"pilothouse_outputs": ["[1]", "hand"]}
    assert "not a mapping" in look(order).error


def test_a_failure_says_where_and_shows_the_log_of_the_step_that_failed(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.finish(2)
    buildbot.steps = [
        {"stepid": 3, "name": "test", "started_at": 1, "results": 2, "state_string": "'make test' (failure)"},
        {"stepid": 4, "name": "clean", "started_at": 2, "results": 0},
        {"stepid": 5, "name": "deploy", "started_at": None, "results": None},
    ]
    outcome = look(order)
    assert outcome.error == "Step 'test': 'make test' (failure)"
    assert outcome.log.endswith("log of 3\n")


def test_the_log_of_each_step_is_followed_from_its_line_while_it_grows(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.finish(None)
    checkout = {"stepid": 3, "name": "checkout", "started_at": 1, "results": 0}
    test = {"stepid": 4, "name": "test", "started_at": 2, "results": None}
    waits = {"stepid": 5, "name": "deploy", "started_at": None, "results": None}
    buildbot.steps, buildbot.logs[3] = [waits, test, checkout], ["fetched"]
    first = look(order)
    assert (first.status, first.log) == ("running", "── checkout ──\nfetched\n")
    buildbot.logs[4] = ["one", "two"]
    second = look(order, offset=first.log_offset)
    assert second.log == "── test ──\none\ntwo\n"
    assert look(order, offset=second.log_offset).log == ""
    buildbot.logs[4] += [f"line {number}" for number in range(5_000)]
    third = look(order, offset=second.log_offset)
    assert third.log.startswith("… (something is left out)\nline 3")
    assert third.log.endswith("line 4999\n")
    buildbot.logs[4] += ["it does not hold"]
    buildbot.steps = [checkout, {**test, "results": 2}]
    buildbot.finish(2)
    last = look(order, offset=third.log_offset)
    assert (last.status, last.log) == ("failed", "it does not hold\n")


def test_a_build_that_vanishes_has_failed_and_a_bad_moment_changes_nothing(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    limited = Reply(429, b"", {"Retry-After": "30"})
    for broken in (limited, Reply(503, b"<html>"), Reply(200, b'{"buildsets": [{'), Reply(200, b"[]")):
        buildbot.next = [broken]
        with pytest.raises(RunnerUnavailable) as error:
            look(order)
        assert "bb-secret" not in error.value.message
        assert error.value.retry_after == (30 if broken is limited else None)
    buildbot.buildsets.clear()
    assert "deleted" in look(order).error


def test_what_is_built_is_stopped_and_what_waits_is_taken_back(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "1", web))
    buildbot.finish(None)
    ask(lambda web: ENGINE.cancel(order, "", web))
    buildbot.finish(0)
    ask(lambda web: ENGINE.cancel(order, "1", web))
    assert buildbot.stopped == ["cancel /buildrequests/1", "stop /builds/1"]


def test_a_buildbot_that_shows_nothing_to_strangers_is_signed_in_to(buildbot: Buildbot) -> None:
    order = order_for(buildbot)
    start(order)
    buildbot.is_closed = True
    assert look(order).status == "running"
    with pytest.raises(RunnerRefused, match="401"):
        look(replace(order, secret="wrong"))


def test_a_token_goes_along_where_there_is_no_name(buildbot: Buildbot) -> None:
    order = replace(order_for(buildbot), connection={"url": buildbot.url})
    with pytest.raises(RunnerRefused):
        start(order)
    assert {one.headers.get("authorization") for one in buildbot.asked} == {"Bearer bb-secret"}


def connected(buildbot: Buildbot, **settings: Any) -> Connected:
    return Connected("bb", {"url": buildbot.url, "username": "bot", **settings}, "bb-secret", ("bb-secret",))


def test_a_connection_is_tested(buildbot: Buildbot) -> None:
    assert ask(lambda web: ENGINE.check(connected(buildbot), web)) == "Buildbot knows us as bot."
    with pytest.raises(RunnerError, match="401"):
        ask(lambda web: ENGINE.check(replace(connected(buildbot), secret="wrong"), web))


def test_schedulers_and_their_fields_can_be_picked(buildbot: Buildbot) -> None:
    found = ask(lambda web: ENGINE.pipelines(connected(buildbot), web, ""))
    assert [one.id for one in found] == ["shop", "shop/deploy", "shop/test"]
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(connected(buildbot), web, "DEPLOY"))] == ["shop/deploy"]
    parameters = ask(lambda web: ENGINE.parameters(connected(buildbot), web, "shop/deploy"))
    assert [(one.name, one.type, one.default, one.is_required) for one in parameters] == [
        ("dry", "boolean", "false", False),
        ("tags", "string", "", False),
        ("version", "string", "1", True),
    ]


def test_a_call_with_the_token_names_its_buildset() -> None:
    connection = Connected("bb", {"hook": {"secret": "hook"}})

    def told(body: Any, token: str = "Bearer hook") -> list[str]:
        return list(ENGINE.called(Called({"authorization": token}, json.dumps(body).encode(), NOW), connection))

    event = {"buildid": 9, "complete": True, "buildset": {"bsid": 1}}
    assert told(event) == told(event) == ["1"]
    assert told({}) == told([]) == told({"buildset": None}) == []
    for wrong in ("Bearer other", "", "hook", "Bearer \u00fc"):
        with pytest.raises(NotPermitted):
            told(event, wrong)
    with pytest.raises(NotPermitted):
        ENGINE.called(Called({}, b"{}", NOW), Connected("bb", {}))
