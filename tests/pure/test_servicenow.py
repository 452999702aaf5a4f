"""The provider `servicenow` against a double of ServiceNow's APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Calling, Connected
from activities.providers.servicenow import ServiceNowEngine
from activities.runners import Order, Outcome, runner_for
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.servicenow_double import TEMPLATE, ServiceNow

KEY = "7-1-1700000000000000"
FIRST = f"{1:032x}"
ENGINE = ServiceNowEngine()
ASKING = Asking(ENGINE, "now-password")
ask, start, look = ASKING.ask, ASKING.start, ASKING.look
NEW = {"short_description": "Release cart 1.4", "type": "emergency", "fields": '{"priority": "2"}'}


@pytest.fixture
def now(settings: Any) -> Iterator[ServiceNow]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    now = ServiceNow()
    with double(now) as api:
        now.settings = {"url": api.url, "username": "bot"}  # type: ignore[attr-defined]
        yield now


def order_for(now: Any, verb: str = "open", **parameters: str) -> Order:
    spec, moment = {"pipeline": verb}, datetime.now(UTC)
    given = parameters or NEW
    return Order(KEY, now.settings, spec, "now-password", given, ("now-password",), started_at=moment)


def done(order: Order) -> Outcome:
    """What it comes to: the start, and the look after it."""
    begun = start(order)
    return begun if begun.is_over else look(order, begun.reference)


def opened(now: ServiceNow) -> ServiceNow:
    done(order_for(now))
    return now


def test_a_change_is_opened_and_handed_on_as_a_ticket_of_the_release(now: ServiceNow) -> None:
    outcome = done(order_for(now))
    change = now.only()
    assert (change["type"], change["priority"], change["correlation_id"]) == ("emergency", "2", f"pilothouse-{KEY}")
    assert (outcome.status, outcome.reference) == ("succeeded", FIRST)
    assert outcome.link.endswith(f"/change_request.do?sys_id={FIRST}")
    told = dict(outcome.outputs)
    assert json.loads(told.pop("tickets"))[0] == {
        "reference": "CHG0030001",
        "title": "Release cart 1.4",
        "link": outcome.link,
    }
    assert told == {"ticket": "CHG0030001", "status": "New", "approval": "not requested", "url": outcome.link}
    assert isinstance(runner_for("servicenow"), ServiceNowEngine)
    assert not isinstance(ENGINE, Calling)


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"res', promised=50), Reply(body=b"{")])
def test_a_lost_answer_finds_the_change_instead_of_opening_another(now: ServiceNow, lost: Reply) -> None:
    order = order_for(now)
    now.lost = [lost]
    with suppress(RunnerUnavailable):
        start(order)
    assert start(replace(order, again=True)).reference == FIRST
    assert len(now.changes) == 1


def test_a_change_that_only_seems_to_be_found_is_not_taken_for_ours(now: ServiceNow) -> None:
    opened(now).ignores_queries = True
    other = replace(order_for(now), key="8-1-1700000000000001", again=True)
    assert start(other).reference == f"{2:032x}"
    with pytest.raises(RunnerRefused, match="no change CHG0039999"):
        start(order_for(now, "await", change="CHG0039999"))


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("lists", [False, True])
def test_a_standard_change_comes_from_its_template_and_carries_the_key(
    now: ServiceNow, ignores: bool, lists: bool
) -> None:
    now.template_ignores_key, now.lists_result = ignores, lists
    order = order_for(now, short_description="Cart", description="More", type="standard", template=TEMPLATE)
    assert done(order).outputs["ticket"] == "CHG0030001"
    assert "description" not in now.only()
    assert now.only()["correlation_id"] == f"pilothouse-{KEY}"
    assert start(replace(order, again=True)).reference == FIRST
    assert now.only()["type"] == "standard"


def test_a_change_of_a_template_that_cannot_be_marked_just_now_is_made_once_all_the_same(now: ServiceNow) -> None:
    now.template_ignores_key = True
    order = order_for(now, short_description="Cart", type="standard", template=TEMPLATE)
    now.unmarked = Reply(503)
    assert start(order).reference == FIRST
    assert now.only()["type"] == "standard"


@pytest.mark.parametrize(
    ("change", "until", "result"),
    [
        ({}, "", "running"),
        ({"approval": "requested", "state": "-3"}, "", "running"),
        ({"approval": "approved", "state": "-2"}, "", "succeeded"),
        ({"state": "-1"}, "Implement", "succeeded"),
        ({"state": "-1"}, "-1", "succeeded"),
        ({"approval": "rejected"}, "", "failed"),
        ({"state": "4"}, "implement", "failed"),
        ({"state": "3"}, "implement", "failed"),
        ({"state": "3"}, "closed", "succeeded"),
    ],
)
def test_a_change_is_awaited_by_its_state_or_approval(
    now: ServiceNow, change: dict[str, str], until: str, result: str
) -> None:
    opened(now).only().update(change)
    outcome = start(order_for(now, "await", change="chg0030001", until=until))
    assert (outcome.status, outcome.reference) == (result, FIRST)
    assert ("CHG0030001" in outcome.error) == (result != "succeeded")


def test_a_change_that_vanished_ends_the_wait(now: ServiceNow) -> None:
    order = order_for(opened(now), "await", change="CHG0030001")
    assert start(order).status == "running"
    now.changes.clear()
    with pytest.raises(RunnerRefused, match="any more"):
        look(order, FIRST)


def test_a_change_is_moved_noted_and_closed_once(now: ServiceNow) -> None:
    given = {"state": "closed", "work_notes": "All well", "close_code": "successful", "close_notes": "Done"}
    order = order_for(opened(now), "update", change="CHG0030001", **given)
    now.lost = [Reply(hang_up=True)]
    with pytest.raises(RunnerUnavailable):
        start(order)
    outcome = done(replace(order, again=True))
    assert (outcome.status, outcome.outputs["status"]) == ("succeeded", "Closed")
    assert (now.only()["close_code"], now.only()["close_notes"]) == ("successful", "Done")
    assert now.notes == [f"(Pilothouse {KEY})\nAll well"]


def test_a_state_that_was_not_taken_is_no_success(now: ServiceNow) -> None:
    opened(now).keeps_state = True
    with pytest.raises(RunnerRefused, match="left the change in state -5"):
        start(order_for(now, "update", change="CHG0030001", state="implement"))


def test_a_wait_bears_a_sign_in_that_is_refused_for_five_minutes_and_no_longer(now: ServiceNow) -> None:
    order = order_for(opened(now), "await", change="CHG0030001", until="approved")
    ASKING.bears_refusals_for_five_minutes(order)


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("open", {"type": "big", "fields": "x"}, "type: Is not one of.*short_description: Is missing.*Is not a JSON"),
        ("open", {"short_description": "x", "template": "cart"}, "Is not a sys_id.*Only a standard change"),
        ("await", {"change": "../1"}, "Is not the number"),
        ("await", {"change": "CHG0039999"}, "no change CHG0039999"),
        ("update", {"change": "CHG0030001"}, "Nothing is to be done"),
        ("update", {"change": "CHG0030001", "state": "finished"}, "Is not a state"),
        ("close", {"change": "CHG0030001"}, "There is no 'close'"),
    ],
)
def test_a_wrong_order_is_refused(now: ServiceNow, verb: str, given: dict[str, str], words: str) -> None:
    opened(now)
    with pytest.raises(RunnerRefused) as caught:
        start(order_for(now, verb, **given))
    for word in words.split(".*"):
        assert word in str(caught.value)
    assert len(now.changes) == 1


def test_trouble_is_told_apart(now: ServiceNow) -> None:
    order = order_for(opened(now), "await", change="CHG0030001")
    now.next = [Reply(429, {"error": {"message": "Rate limit now-password"}}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        start(order)
    assert caught.value.retry_after == 17
    assert "now-password" not in str(caught.value)
    for reply in (Reply(503), Reply(body=b'{"result": {"st'), Reply(body=b'{"a": 1}', promised=9), Reply(body=[])):
        now.next = [reply]
        with pytest.raises(RunnerUnavailable):
            look(order, FIRST)
    rule = "Operation against file 'change_request' was aborted by Business Rule 'Prevent'"
    now.next = [Reply(403, {"error": {"message": "Operation Failed", "detail": rule}, "status": "failure"})]
    with pytest.raises(RunnerRefused, match="Business Rule"):
        start(order_for(now, "update", change=FIRST, state="review"))


def test_a_connection_is_tested_and_its_verbs_picked(now: Any) -> None:
    connection = Connected("now", now.settings, "now-password", ("now-password",))
    assert ask(lambda web: ENGINE.check(connection, web)) == "ServiceNow knows us as bot and shows us changes."
    with pytest.raises(RunnerError, match="Not Authenticated") as caught:
        ask(lambda web: ENGINE.check(replace(connection, secret="wrong"), web))
    assert "now-password" not in str(caught.value)
    now.sign_in = "Bearer oauth-token"
    token = Connected("now", {"url": now.settings["url"]}, "oauth-token", ("oauth-token",))
    assert "accepts the token" in ask(lambda web: ENGINE.check(token, web))
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(connection, web, ""))] == ["open", "await", "update"]
    wanted = ask(lambda web: ENGINE.parameters(connection, web, "open"))
    assert [one.name for one in wanted if one.is_required] == ["short_description"]
