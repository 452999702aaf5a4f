"""The provider `jenkins` against a double of Jenkins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Calling, Connected
from activities.providers.jenkins import JenkinsEngine
from activities.runners import Order, Outcome
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.jenkins_double import BRANCH, Jenkins

KEY = "7-1-1700000000000000"
NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
ENGINE = JenkinsEngine()
ASKING = Asking(ENGINE, "jk-token")
ask, start = ASKING.ask, ASKING.start


@pytest.fixture
def jenkins(settings: Any) -> Iterator[Jenkins]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    jenkins = Jenkins()
    with double(jenkins) as api:
        jenkins.url, jenkins.asked = api.url, api.asked
        yield jenkins


def order_for(jenkins: Jenkins, **rest: Any) -> Order:
    settings = {"url": jenkins.url, "username": "bot", "key_parameter": "KEY", **rest.pop("settings", {})}
    spec = {"pipeline": "shop/deploy", **rest.pop("spec", {})}
    parameters = rest.pop("parameters", {"VERSION": "1.4.0"})
    return Order(KEY, settings, spec, "jk-token", parameters, started_at=NOW, masks=("jk-token",), **rest)


def look(order: Order, reference: str = "1", offset: int = 0) -> Outcome:
    return ASKING.look(order, reference, offset)


def begun(jenkins: Jenkins, **rest: Any) -> Order:
    order = order_for(jenkins, **rest)
    start(order)
    jenkins.begin(41)
    return order


def test_a_build_is_queued_and_then_begins(jenkins: Jenkins) -> None:
    order = order_for(jenkins)
    outcome = start(order)
    assert (outcome.status, outcome.reference) == ("running", "queue:41")
    assert jenkins.sent == [{"VERSION": "1.4.0", "KEY": KEY}]
    assert look(order, "queue:41").reference == "queue:41"
    jenkins.begin(41)
    outcome = look(order, "queue:41")
    assert (outcome.status, outcome.reference) == ("running", "1")
    assert outcome.link == "https://jenkins.example.com/job/shop/job/deploy/1/"


def test_a_place_in_the_queue_that_is_forgotten_is_found_among_the_builds(jenkins: Jenkins) -> None:
    order = order_for(jenkins)
    start(order)
    jenkins.begin(41, 7, forgets=True)
    assert look(order, "queue:41").reference == "7"
    jenkins.builds.clear()
    outcome = look(order, "queue:41")
    assert outcome.status == "failed"
    assert "any more" in outcome.error


def test_jobs_without_parameters_and_branches_are_built_too(jenkins: Jenkins) -> None:
    start(order_for(jenkins, spec={"pipeline": "shop/plain"}, parameters={}))
    start(order_for(jenkins, spec={"pipeline": "shop/cart", "ref": "feature/x"}))
    start(order_for(jenkins, spec={"pipeline": "cart/feature%2Fx"}, settings={"folder": "shop"}))
    assert [one.path for one in jenkins.asked if one.method == "POST"] == [
        "/job/shop/job/plain/build",
        f"{BRANCH}/buildWithParameters",
        f"{BRANCH}/buildWithParameters",
    ]


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(503), Reply(201, promised=5)])
def test_a_lost_answer_finds_what_was_queued_or_built(jenkins: Jenkins, lost: Reply, begins: bool) -> None:
    jenkins.lost = [lost]
    order = order_for(jenkins)
    with pytest.raises(RunnerUnavailable):
        start(order)
    if begins:
        jenkins.begin(41)
    assert start(replace(order, again=True)).reference == ("1" if begins else "queue:41")
    assert len(jenkins.sent) == 1


def test_what_was_never_started_is_started_when_asked_again(jenkins: Jenkins) -> None:
    assert start(order_for(jenkins, again=True)).reference == "queue:41"


@pytest.mark.parametrize("begins", [False, True])
def test_without_a_key_a_lost_answer_is_left_to_a_person(jenkins: Jenkins, begins: bool) -> None:
    order = order_for(jenkins, settings={"key_parameter": "ABSENT"})
    jenkins.lost = [Reply(hang_up=True)]
    with pytest.raises(RunnerUnavailable):
        start(order)
    if begins:
        jenkins.begin(41, timestamp=int(NOW.timestamp() * 1_000))
    with pytest.raises(RunnerRefused, match="key_parameter"):
        start(replace(order, again=True))
    jenkins.queue.clear()
    jenkins.builds.clear()
    assert start(replace(order, again=True)).reference == "queue:42"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"pipeline": "shop/absent"}}, "404"),
        ({"spec": {"pipeline": "shop"}}, "holds other jobs"),
        ({"spec": {"pipeline": "shop/../deploy"}}, "cannot be a job"),
        ({"spec": {"pipeline": "shop//deploy"}}, "cannot be a job"),
        ({"parameters": {"UNHEARD": "1"}}, "does not know these parameters of 'shop/deploy': UNHEARD"),
        ({"secret": "wrong"}, "401"),
    ],
)
def test_a_wrong_order_is_refused(jenkins: Jenkins, change: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        start(replace(order_for(jenkins), **change))
    jenkins.is_disabled = True
    with pytest.raises(RunnerRefused, match="disabled"):
        start(order_for(jenkins))
    assert jenkins.sent == []


def test_a_crumb_is_fetched_when_one_is_wanted(jenkins: Jenkins) -> None:
    jenkins.wants_crumb = True
    assert start(order_for(jenkins)).reference == "queue:41"
    jenkins.next = [
        Reply(200, {"buildable": True, "property": []}),
        Reply(403, b"bot is missing the Job/Build permission"),
    ]
    with pytest.raises(RunnerRefused, match="403 Forbidden: bot is missing"):
        start(order_for(jenkins, parameters={}))


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("SUCCESS", "succeeded"),
        ("UNSTABLE", "failed"),
        ("FAILURE", "failed"),
        ("NOT_BUILT", "failed"),
        ("ABORTED", "cancelled"),
        ("UNHEARD", "failed"),
        (None, "running"),
    ],
)
def test_each_result_means_something_once_the_build_is_over(jenkins: Jenkins, result: str | None, status: str) -> None:
    order = begun(jenkins)
    jenkins.finish(result, building=True)
    assert look(order).status == "running"
    jenkins.finish(result)
    assert look(order).status == status


def test_an_unstable_build_is_a_success_only_where_the_connection_says_so(jenkins: Jenkins) -> None:
    order = begun(jenkins, settings={"accept_unstable": True})
    jenkins.finish("UNSTABLE")
    assert (look(order).status, look(order).error) == ("succeeded", "")


def test_a_log_is_followed_from_its_offset(jenkins: Jenkins) -> None:
    order = begun(jenkins)
    jenkins.logs[1] = "début\nfin à".encode()[:-1]
    outcome = look(order)
    assert (outcome.log, outcome.log_offset) == ("début\n", 7)
    jenkins.logs[1] = "début\nfin à\n".encode()
    outcome = look(order, offset=7)
    assert (outcome.log, outcome.log_offset) == ("fin à\n", 14)
    assert look(order, offset=14).log == ""
    jenkins.logs[1] += b"x" * 100 + b"\n" + b"0123456789\n" * 20_000
    outcome = look(order, offset=14)
    assert outcome.log.startswith("… (something is left out)\n0123456789\n")
    assert outcome.log_offset == len(jenkins.logs[1])
    assert len(outcome.log) < 70_000
    jenkins.logs[1] += b"token is half"
    outcome = look(order, offset=14)
    assert outcome.log.endswith("0123456789\n"), "half a line waits also where something is left out"
    assert outcome.log_offset == len(jenkins.logs[1]) - len("token is half")


def test_a_build_that_goes_well_hands_back_its_outputs(jenkins: Jenkins) -> None:
    order = begun(jenkins)
    jenkins.finish("SUCCESS")
    assert look(order).outputs == {"commit": "4f1c2ab"}
    jenkins.builds[1]["artifacts"] = [
        {"fileName": "pilothouse-outputs.json", "relativePath": "a b/pilothouse-outputs.json"}
    ]
    path = "/1/artifact/a%20b/pilothouse-outputs.json"
    jenkins.files[path] = b'{"image": "shop:1", "size": 12}'
    assert look(order).outputs == {"commit": "4f1c2ab", "image": "shop:1", "size": "12"}
    for content, words in {b"0" * 300_000: "larger than", b"[1]": "not a mapping", b"{": "not JSON"}.items():
        jenkins.files[path] = content
        outcome = look(order)
        assert outcome.status == "failed"
        assert words in outcome.error


def test_a_build_that_vanishes_has_failed_and_a_bad_moment_changes_nothing(jenkins: Jenkins) -> None:
    order = begun(jenkins)
    limited = Reply(429, b"", {"Retry-After": "30"})
    for broken in (limited, Reply(503, b"<html>"), Reply(200, b'{"number": 1, "buil'), Reply(200, b"[]")):
        jenkins.next = [broken]
        with pytest.raises(RunnerUnavailable) as error:
            look(order)
        assert "jk-token" not in error.value.message
        assert error.value.retry_after == (30 if broken is limited else None)
    jenkins.builds.clear()
    assert "deleted" in look(order).error


@pytest.mark.parametrize("is_old", [True, False])
def test_a_build_is_taken_out_of_the_queue_or_stopped(jenkins: Jenkins, is_old: bool) -> None:
    jenkins.is_old = is_old
    order = order_for(jenkins)
    ask(lambda web: ENGINE.cancel(order, "", web))
    start(order)
    ask(lambda web: ENGINE.cancel(order, "queue:41", web))
    assert jenkins.cancelled == [41]
    assert look(order, "queue:41").status == "cancelled"
    ask(lambda web: ENGINE.cancel(order, "queue:41", web))
    start(order)
    jenkins.begin(42)
    for reference in ("queue:42", "1", ""):
        ask(lambda web, reference=reference: ENGINE.cancel(order, reference, web))  # type: ignore[misc]
    ask(lambda web: ENGINE.cancel(order, "99", web))
    assert (jenkins.cancelled, jenkins.stopped) == ([41], [1, 1, 1])


def connected(jenkins: Jenkins, **settings: Any) -> Connected:
    return Connected("jk", {"url": jenkins.url, "username": "bot", "key_parameter": "KEY", **settings}, "jk-token")


def test_a_connection_is_tested(jenkins: Jenkins) -> None:
    assert ask(lambda web: ENGINE.check(connected(jenkins), web)) == "Jenkins knows us as bot."
    with pytest.raises(RunnerError, match="401"):
        ask(lambda web: ENGINE.check(replace(connected(jenkins), secret="wrong"), web))
    jenkins.next = [Reply(body={"anonymous": True, "name": "anonymous"})]
    assert "does not know us" in ask(lambda web: ENGINE.check(connected(jenkins), web))
    assert not isinstance(ENGINE, Calling)


def test_jobs_and_their_parameters_can_be_picked(jenkins: Jenkins) -> None:
    found = ask(lambda web: ENGINE.pipelines(connected(jenkins), web, ""))
    assert [one.id for one in found] == ["shop/deploy", "shop/plain", "shop/cart/feature%2Fx"]
    inside = ask(lambda web: ENGINE.pipelines(connected(jenkins, folder="shop"), web, "FEATURE/x"))
    assert [(one.id, one.name) for one in inside] == [("cart/feature%2Fx", "Shop » cart » feature/x")]
    parameters = ask(lambda web: ENGINE.parameters(connected(jenkins), web, "shop/deploy"))
    assert [(one.name, one.type, one.default, one.options) for one in parameters] == [
        ("VERSION", "string", "1", ()),
        ("DRY", "boolean", "false", ()),
        ("WHERE", "enum", "staging", ("staging", "production")),
        ("TOKEN", "string", "", ()),
    ]
