"""The provider `pilothouse`: releases awaited in this installation and in another, by the same API and permissions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.engines import Connected
from activities.providers.pilothouse import PilothouseEngine
from activities.runners import Order, Outcome
from config.errors import RunnerRefused
from config.models import ApiToken
from config.tokens import create_token
from releases.models import Release, ReleaseGroup
from tests.asking import Asking
from tests.builders import run_of, start, work
from tests.edges.pages import publish
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db(transaction=True)

ENGINE = PilothouseEngine()
CART = """
id: cart
phases:
  - id: build
    outputs: {image: "${{ phases.build.activities.compile.outputs.image }}"}
    activities:
      - {id: compile, automated: {connection: scripted, pipeline: compile}, outputs: {image: {type: string}}}
  - id: ship
    depends_on: [build]
    activities:
      - {id: accept, manual: {tasks: [{id: read, name: Read, groups: [qa]}]}}
"""


class Waiting:
    """Somebody who waits, by a token of theirs, here or there."""

    def __init__(self, settings: dict[str, str], user: User, scope: str = "read") -> None:
        self.settings = settings
        _, self.key = create_token(user, name="waits", scopes=[scope], now=timezone.now())
        self.asking = Asking(ENGINE, self.key)

    def order(self, **parameters: str) -> Order:
        spec = {"pipeline": "await"}
        return Order("7-1-1", self.settings, spec, self.key, parameters, (self.key,), started_at=timezone.now())

    def start(self, **parameters: str) -> Outcome:
        return self.asking.start(self.order(**parameters))


@pytest.fixture(params=["here", "there"])
def place(request: pytest.FixtureRequest, settings: Any, live_server: Any) -> dict[str, str]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1", "localhost"]
    return {} if request.param == "here" else {"url": live_server.url}


@pytest.fixture
def waiting(place: dict[str, str], manager: User) -> Waiting:
    return Waiting(place, manager)


@pytest.fixture
def cart(engine: ScriptedRunner) -> Release:
    engine.script["compile"] = [Outcome("succeeded", outputs={"image": "cart:1"})]
    return start(CART, now=timezone.now())


def planned(group: ReleaseGroup, version: str, days: float, state: str = "scheduled") -> Release:
    moment = timezone.now() + timedelta(days=days)
    values = {"name": "Monthly", "version": version, "state": state, "planned_start_at": moment}
    return Release.objects.create(group=group, process=group.process, created_at=timezone.now(), **values)


@pytest.fixture
def group(cart: Release) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug="monthly", name="Monthly", process=cart.process)


def test_an_activity_of_a_release_is_awaited_with_its_outputs(waiting: Waiting, cart: Release) -> None:
    order = waiting.order(release=str(cart.pk), phase="build", activity="compile")
    outcome = waiting.asking.start(order)
    assert (outcome.status, outcome.reference) == ("running", str(cart.pk))
    assert "build/compile in Release 1.2.3, which is queued" in outcome.error
    assert 2 <= (outcome.look_in or 0) <= 10
    work(cart)
    done = waiting.asking.look(order, outcome.reference)
    run = run_of(cart, "build/compile")
    assert done.status == "succeeded"
    assert json.loads(done.outputs["outputs"]) == {"image": "cart:1"}
    assert (done.outputs["release"], done.outputs["version"]) == (str(cart.pk), "1.2.3")
    assert (done.outputs["state"], done.outputs["finished_at"][:4]) == ("succeeded", str(timezone.now().year))
    assert done.link.endswith(f"/releases/{cart.pk}/activities/{run.pk}/")
    assert waiting.key not in repr(order)


def test_a_phase_is_awaited_and_the_release_itself_goes_on(waiting: Waiting, cart: Release) -> None:
    work(cart)
    phase = waiting.start(release=str(cart.pk), phase="build")
    assert (phase.status, phase.outputs["outputs"]) == ("succeeded", '{"image": "cart:1"}')
    assert waiting.start(release=str(cart.pk)).status == "running"
    assert "ship/accept" in waiting.start(release=str(cart.pk), activity="ship.accept").error


@pytest.mark.parametrize(
    ("state", "states", "status"),
    [
        ("succeeded", "", "succeeded"),
        ("partially_succeeded", "", "failed"),
        ("partially_succeeded", "succeeded, partially_succeeded", "succeeded"),
        ("failed", "succeeded,partially_succeeded", "failed"),
        ("aborted", "", "failed"),
        ("cancelled", "", "failed"),
        ("missed", "", "failed"),
        ("paused", "", "running"),
        ("scheduled", "", "running"),
        ("draft", "", "running"),
    ],
)
def test_how_a_release_ends_decides(waiting: Waiting, cart: Release, state: str, states: str, status: str) -> None:
    over = state in ("succeeded", "partially_succeeded", "failed", "aborted")
    Release.objects.update(state=state, finished_at=timezone.now() if over else None)
    given = {"release": str(cart.pk), "states": states}
    outcome = waiting.start(**given)
    assert outcome.status == status
    assert (state.replace("_", " ") in outcome.error) == (status != "succeeded")


def test_a_phase_that_never_ran_is_not_waited_for_in_vain(waiting: Waiting, group: ReleaseGroup) -> None:
    release = planned(group, "2.0", 1)
    given = {"release": str(release.pk), "phase": "build"}
    assert waiting.start(**given).status == "running"
    Release.objects.filter(pk=release.pk).update(state="missed")
    outcome = waiting.start(**given)
    assert outcome.status == "failed"
    assert "did not run: the release is missed" in outcome.error


def test_a_version_is_awaited_before_it_is_planned_and_one_that_was_called_off_does_not_count(
    waiting: Waiting, group: ReleaseGroup
) -> None:
    early = waiting.start(group="monthly", version="2.0")
    assert (early.status, early.reference) == ("running", "")
    assert "version 2.0 of the group monthly, which is not there yet" in early.error
    good = planned(group, "2.0", 1)
    planned(group, "2.0", 2, "cancelled")
    planned(group, "12.0", 2)
    assert waiting.start(group="monthly", version="2.0").reference == str(good.pk)


def test_the_next_and_the_latest_of_a_group_are_found(waiting: Waiting, group: ReleaseGroup) -> None:
    assert waiting.start(group="monthly", which="latest").reference == ""
    begun = planned(group, "1", -3, "running")
    Release.objects.filter(pk=begun.pk).update(started_at=timezone.now() - timedelta(days=3))
    planned(group, "2", 1, "cancelled")
    soon = planned(group, "3", 9)
    planned(group, "4", 20)
    assert waiting.start(group="monthly", which="next").reference == str(soon.pk)
    assert waiting.start(group="monthly", which="latest").reference == str(begun.pk)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "release: Either this or a group"),
        ({"release": "1", "group": "monthly"}, "release: Either this or a group"),
        ({"release": "../me"}, "not the number"),
        ({"group": "monthly"}, "version: A group takes a version"),
        ({"group": "a/b", "version": "1"}, "group: Is not the id"),
        ({"group": "monthly", "which": "last"}, "which: Is not one of its options"),
        ({"release": "1", "activity": "compile"}, "phase: Is missing"),
        ({"release": "1", "states": "good"}, "good cannot be waited for"),
        ({"release": "1", "what": "x"}, "what: Is not taken here"),
    ],
)
def test_a_wrong_order_is_refused_with_every_fault(waiting: Waiting, given: dict[str, str], words: str) -> None:
    with pytest.raises(RunnerRefused, match=words):
        waiting.start(**given)


def test_what_is_not_in_the_release_is_refused_with_what_is(waiting: Waiting, cart: Release) -> None:
    with pytest.raises(RunnerRefused, match=r"There is no 'deploy' in release .*: build, ship"):
        waiting.start(release=str(cart.pk), phase="deploy")


def test_a_stranger_s_token_sees_no_release(place: dict[str, str], cart: Release, stranger: User) -> None:
    waiting = Waiting(place, stranger)
    with pytest.raises(RunnerRefused, match="404"):
        waiting.start(release=str(cart.pk))
    with pytest.raises(RunnerRefused, match="404"):
        waiting.asking.look(waiting.order(release=str(cart.pk)), str(cart.pk))
    assert waiting.start(group="monthly", version="1.2.3").reference == ""


def test_a_token_that_was_revoked_or_whose_owner_has_left_refuses(
    waiting: Waiting, cart: Release, manager: User
) -> None:
    given = {"release": str(cart.pk)}
    assert waiting.start(**given).status == "running"
    User.objects.filter(pk=manager.pk).update(is_active=False)
    with pytest.raises(RunnerRefused, match="401") as caught:
        waiting.start(**given)
    assert caught.value.code == "engine_denied"
    User.objects.filter(pk=manager.pk).update(is_active=True)
    ApiToken.objects.all().delete()
    with pytest.raises(RunnerRefused, match="revoked") as caught:
        waiting.start(**given)
    assert waiting.key not in str(caught.value)
    with pytest.raises(RunnerRefused, match="needs a secret"):
        waiting.asking.start(replace(waiting.order(**given), secret=None))


def test_a_token_that_is_refused_while_the_release_is_not_there_yet_is_borne_for_a_while(
    waiting: Waiting, group: ReleaseGroup, manager: User
) -> None:
    order = replace(waiting.order(group="monthly", version="9.9"), again=True)
    assert "is not there yet" in waiting.asking.start(order).error
    User.objects.filter(pk=manager.pk).update(is_active=False)
    refused = waiting.asking.start(order)
    assert (refused.status, refused.reference, "401" in refused.error) == ("running", "", True)
    again = waiting.asking.start(replace(order, progress=refused.progress))
    assert again.progress is not None
    assert refused.progress is not None
    assert again.progress["refused_since"] == refused.progress["refused_since"]
    User.objects.filter(pk=manager.pk).update(is_active=True)
    assert waiting.asking.start(replace(order, progress=again.progress)).progress == {}


def test_a_connection_is_tested_and_its_verb_picked(waiting: Waiting) -> None:
    connection = Connected("ph", waiting.settings, waiting.key)
    ask = waiting.asking.ask
    assert ask(lambda web: ENGINE.check(connection, web)).endswith("installation knows us as manager.")
    assert [one.id for one in ask(lambda web: ENGINE.pipelines(connection, web, ""))] == ["await", "start"]
    names = [one.name for one in ask(lambda web: ENGINE.parameters(connection, web, "await"))]
    assert names == ["release", "group", "version", "which", "phase", "activity", "states"]


SMALL = """
kind: Process
id: small
name: Small
inputs: {size: {type: integer, required: true}}
phases:
  - id: plan
    name: Plan
    owners: [group:qa]
    activities: [{id: accept, manual: {tasks: [{id: read, name: Read, groups: [qa]}]}}]
"""
PLAN = {"process": "small", "name": "From elsewhere", "version": "3.0", "given": '{"inputs": {"size": 3}}'}


@pytest.fixture
def starting(place: dict[str, str], manager: User, owner: User) -> Waiting:
    publish(SMALL)
    return Waiting(place, manager, "write")


def begun(waiting: Waiting, **parameters: str) -> Outcome:
    return waiting.asking.start(replace(waiting.order(**parameters), spec={"pipeline": "start"}))


def test_a_release_is_started_once_however_often_it_is_asked(starting: Waiting) -> None:
    first, again = begun(starting, **PLAN), begun(starting, **PLAN)
    (release,) = Release.objects.all()
    assert (release.state, release.version, release.started_by_name) == ("running", "3.0", "manager")
    assert first.outputs == again.outputs
    assert (first.status, first.outputs["release"], first.outputs["state"]) == ("succeeded", str(release.pk), "running")
    assert first.link.endswith(f"/releases/{release.pk}/")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({**PLAN, "group": "x"}, "group: Either this or a process"),
        ({**PLAN, "name": "", "given": "3"}, "name: Is missing.*given: Is not a JSON mapping"),
        ({**PLAN, "process": "absent"}, "400"),
        ({**PLAN, "given": ""}, "400|409"),
    ],
)
def test_a_release_that_cannot_be_started_is_refused(starting: Waiting, given: dict[str, str], words: str) -> None:
    with pytest.raises(RunnerRefused) as caught:
        begun(starting, **given)
    for word in words.split(".*"):
        assert any(one in str(caught.value) for one in word.split("|"))
    assert not Release.objects.exclude(state="draft").exists()


def test_a_token_that_may_only_read_or_a_stranger_s_starts_nothing(
    place: dict[str, str], starting: Waiting, manager: User, stranger: User
) -> None:
    with pytest.raises(RunnerRefused, match="403"):
        begun(Waiting(place, manager, "read"), **PLAN)
    with pytest.raises(RunnerRefused, match="40"):
        begun(Waiting(place, stranger, "write"), **PLAN)
    assert not Release.objects.exists()
