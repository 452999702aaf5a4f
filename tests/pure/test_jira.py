"""The provider `jira` against a double of Jira's API, as Cloud and as Data Center."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.engines import Called, Calling, Connected
from activities.providers.jira import JiraEngine
from activities.runners import Order, Outcome, runner_for
from config.errors import NotPermitted, RunnerError, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Reply, double
from tests.jira_double import Jira

KEY = "7-1-1700000000000000"
ENGINE = JiraEngine()
ASKING = Asking(ENGINE, "jira-token")
ask, start, look = ASKING.ask, ASKING.start, ASKING.look
NEW = {
    "project": "SHOP",
    "summary": "Release cart 1.4",
    "description": "All of it",
    "fields": '{"labels": ["release"]}',
}


@pytest.fixture(params=["cloud", "center"])
def jira(request: pytest.FixtureRequest, settings: Any) -> Iterator[Jira]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    jira = Jira(is_cloud=request.param == "cloud")
    with double(jira) as api:
        jira.settings = {"url": api.url, **({"email": "bot@shop.example"} if jira.is_cloud else {})}  # type: ignore[attr-defined]
        yield jira


def order_for(jira: Any, verb: str = "open", **parameters: str) -> Order:
    given = parameters or NEW
    spec, now = {"pipeline": verb}, datetime.now(UTC)
    return Order(KEY, jira.settings, spec, "jira-token", given, ("jira-token",), started_at=now)


def done(order: Order) -> Outcome:
    """What it comes to: the start, and the look after it."""
    begun = start(order)
    return begun if begun.is_over else look(order, begun.reference)


def opened(jira: Jira) -> Jira:
    done(order_for(jira))
    return jira


def test_an_issue_is_opened_and_handed_on_as_a_ticket_of_the_release(jira: Jira) -> None:
    outcome = done(order_for(jira))
    fields = jira.issues["SHOP-1"]["fields"]
    assert fields["labels"] == ["release", f"pilothouse-{KEY}"]
    assert (fields["issuetype"], fields["description"]) == ({"name": "Task"}, "All of it")
    assert (outcome.status, outcome.reference) == ("succeeded", "SHOP-1")
    assert (outcome.outputs["ticket"], outcome.outputs["status"]) == ("SHOP-1", "To Do")
    assert outcome.link == outcome.outputs["url"]
    assert outcome.link.endswith("/browse/SHOP-1")
    named = {"reference": "SHOP-1", "title": "Release cart 1.4", "link": outcome.link}
    assert json.loads(outcome.outputs["tickets"]) == [named]
    assert isinstance(runner_for("jira"), JiraEngine)


@pytest.mark.parametrize("lost", [Reply(hang_up=True), Reply(502), Reply(body=b'{"key', promised=50), Reply(201, b"{")])
def test_a_lost_answer_finds_the_issue_instead_of_opening_another(jira: Jira, lost: Reply) -> None:
    order = order_for(jira)
    jira.lost = [lost]
    with suppress(RunnerUnavailable):
        start(order)
    assert start(replace(order, again=True)).reference == "SHOP-1"
    assert len(jira.issues) == 1


def test_an_issue_that_the_search_does_not_find_yet_is_waited_for(jira: Jira) -> None:
    order = replace(order_for(jira), again=True)
    jira.finds = False
    outcome = start(order)
    assert (outcome.status, outcome.reference, outcome.look_in) == ("running", "", 10)
    assert jira.issues == {}
    late = replace(order, started_at=datetime.now(UTC) - timedelta(minutes=2))
    assert start(late).reference == "SHOP-1"


@pytest.mark.parametrize(
    ("status", "until", "result"),
    [
        ("To Do", "", "running"),
        ("In Review", "approved", "running"),
        ("Approved", "Approved, Done", "succeeded"),
        ("Done", "", "succeeded"),
        ("Done", "Approved", "failed"),
        ("Rejected", "", "failed"),
        ("In Review", "indeterminate", "succeeded"),
    ],
)
def test_an_issue_is_awaited_by_its_status_or_category(jira: Jira, status: str, until: str, result: str) -> None:
    opened(jira).to("SHOP-1", status)
    outcome = start(order_for(jira, "await", issue="shop-1", until=until))
    assert outcome.status == result
    assert (status in outcome.error) == (result != "succeeded")
    assert outcome.outputs.get("status", status) == status


def test_an_issue_that_vanished_ends_the_wait(jira: Jira) -> None:
    order = order_for(opened(jira), "await", issue="SHOP-1")
    assert start(order).status == "running"
    jira.issues.clear()
    with pytest.raises(RunnerRefused, match="no issue SHOP-1"):
        look(order, "SHOP-1")


def test_an_issue_is_moved_and_commented_once_each(jira: Jira) -> None:
    order = order_for(opened(jira), "update", issue="SHOP-1", status="in review", comment="On its way")
    jira.lost = [Reply(hang_up=True)]
    with pytest.raises(RunnerUnavailable):
        start(order)
    again = replace(order, again=True)
    jira.lost = [Reply(503)]
    with pytest.raises(RunnerUnavailable):
        start(again)
    outcome = done(again)
    assert (outcome.status, outcome.outputs["status"]) == ("succeeded", "In Review")
    assert [(one["body"], one["properties"][0]["value"]) for one in jira.comments] == [("On its way", {"key": KEY})]
    assert jira.moves == 1


def test_the_same_words_of_another_attempt_are_another_comment(jira: Jira) -> None:
    order = order_for(opened(jira), "update", issue="SHOP-1", comment="On its way")
    start(order)
    start(replace(order, key="7-2-1700000000000001", again=True))
    assert len(jira.comments) == 2


def test_a_wait_bears_a_sign_in_that_is_refused_for_five_minutes_and_no_longer(jira: Jira) -> None:
    order = order_for(opened(jira), "await", issue="SHOP-1", until="approved")
    ASKING.bears_refusals_for_five_minutes(order)


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("open", {"summary": "x", "fields": "[1]"}, "project: Is missing.*fields: Is not a JSON mapping"),
        ("open", {**NEW, "project": "NONE"}, "valid project is required"),
        ("await", {"issue": "../1"}, "Is not the key"),
        ("await", {"issue": "SHOP-9"}, "no issue SHOP-9"),
        ("update", {"issue": "SHOP-1"}, "Nothing is to be done"),
        ("update", {"issue": "SHOP-1", "status": "Done"}, "is To Do, from where it goes to: Approved, In Review"),
        ("close", {"issue": "SHOP-1"}, "There is no 'close'"),
    ],
)
def test_a_wrong_order_is_refused(jira: Jira, verb: str, given: dict[str, str], words: str) -> None:
    opened(jira)
    with pytest.raises(RunnerRefused) as caught:
        start(order_for(jira, verb, **given))
    for word in words.split(".*"):
        assert word in str(caught.value)
    assert len(jira.issues) == 1


def test_trouble_is_told_apart(jira: Jira) -> None:
    order = order_for(opened(jira), "await", issue="SHOP-1")
    jira.next = [Reply(429, {"errorMessages": ["slow down jira-token"]}, {"Retry-After": "17"})]
    with pytest.raises(RunnerUnavailable) as caught:
        start(order)
    assert caught.value.retry_after == 17
    assert "jira-token" not in str(caught.value)
    for reply in (Reply(503), Reply(body=b'{"key": "SH'), Reply(body=b'{"a": 1}', promised=9), Reply(body=b"[]")):
        jira.next = [reply]
        with pytest.raises(RunnerUnavailable):
            start(order)


def test_a_connection_is_tested_and_its_verbs_picked(jira: Any) -> None:
    connection = Connected("jira", jira.settings, "jira-token", ("jira-token",))
    assert ask(lambda web: ENGINE.check(connection, web)) == "Jira knows us as Release bot."
    with pytest.raises(RunnerError, match="authenticated") as caught:
        ask(lambda web: ENGINE.check(replace(connection, secret="wrong"), web))
    assert "jira-token" not in str(caught.value)
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(connection, web, ""))] == ["open", "await", "update"]
    wanted = ask(lambda web: ENGINE.parameters(connection, web, "open"))
    assert [one.name for one in wanted if one.is_required] == ["project", "summary"]


def test_a_signed_webhook_names_the_issue(settings: Any) -> None:
    connection = Connected("jira", {"url": "https://jira.example", "hook": {"secret": "hook-secret"}})
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"key": "SHOP-1"}}).encode()
    made = hmac.new(b"hook-secret", body, hashlib.sha256).hexdigest()
    call = Called({"x-hub-signature": f"sha256={made}"}, body, datetime.now(UTC))
    assert isinstance(ENGINE, Calling)
    assert ENGINE.called(call, connection) == ["SHOP-1"]
    with pytest.raises(NotPermitted):
        ENGINE.called(replace(call, body=body + b" "), connection)
