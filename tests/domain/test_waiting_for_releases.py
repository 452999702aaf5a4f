"""A release that waits for another of this installation, followed for real."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.models import Connection, Secret
from activities.runners import Outcome
from activities.secrets import set_secret
from config.tokens import create_token
from releases.execution import lifecycle
from releases.models import Attempt, Release
from releases.reading import awaited_by, run_blocked
from tests.builders import run_of, start, work
from tests.fakes import ScriptedRunner
from tests.following import following, until

pytestmark = pytest.mark.django_db(transaction=True)

CART = """
id: cart
phases:
  - id: build
    activities:
      - {id: compile, automated: {connection: scripted, pipeline: compile}, outputs: {image: {type: string}}}
"""
SHOP = """
id: shop
phases:
  - id: ship
    activities:
      - id: cart
        automated: {connection: here, pipeline: await, parameters: {release: "%s", phase: build, activity: compile}}
        outputs: {version: {type: string}, state: {type: string}, outputs: {type: object}}
"""


@pytest.fixture
def here(manager: User) -> Connection:
    _, key = create_token(manager, name="waits", scopes=["read"], now=timezone.now())
    set_secret(None, "waits", key)
    secret = Secret.objects.get(name="waits")
    return Connection.objects.create(slug="here", name="Here", provider="pilothouse", secret=secret)


def begin(text: str) -> Release:
    release = start(text, now=timezone.now())
    work(release)
    return release


def waiter_of(cart: Release) -> Release:
    shop = begin(SHOP % cart.pk)
    until(lambda: Attempt.objects.get(activity_run__release=shop).error)
    return shop


def state_of(release: Release) -> str:
    return run_of(release, "ship/cart").state


def test_it_goes_on_at_once_when_the_other_one_has_got_there(here: Connection, engine: ScriptedRunner) -> None:
    engine.script["compile"] = [Outcome("succeeded", outputs={"image": "cart:1"})]
    cart = start(CART, now=timezone.now())
    with following():
        shop = waiter_of(cart)
        assert state_of(shop) == "running"
        why = run_blocked(run_of(shop, "ship/cart"), now=timezone.now()).links[0].words
        assert why.startswith("It is running. Waits for build/compile in Release 1.2.3, which is queued")
        far = timezone.now() + timedelta(hours=1)
        time.sleep(0.5)
        Attempt.objects.filter(activity_run__release=shop).update(follow_at=far)
        work(cart)
        until(lambda: state_of(shop) == "succeeded", patience=5)
    outputs = run_of(shop, "ship/cart").outputs
    assert (outputs["version"], outputs["state"]) == ("1.2.3", "succeeded")
    assert outputs["outputs"] == {"image": "cart:1"}


def test_it_fails_early_when_the_other_one_has_ended_otherwise(here: Connection, engine: ScriptedRunner) -> None:
    cart = start(CART, now=timezone.now())
    with following():
        shop = waiter_of(cart)
        lifecycle.abort(cart.pk, actor=None, now=timezone.now(), reason="Not today")
        until(lambda: state_of(shop) == "on_hold", patience=5)
    assert "build/compile in Release 1.2.3 is aborted" in run_of(shop, "ship/cart").error


def test_a_token_whose_owner_sees_it_no_more_ends_it(here: Connection, engine: ScriptedRunner, manager: User) -> None:
    cart = start(CART, now=timezone.now())
    with following():
        shop = waiter_of(cart)
        manager.user_permissions.clear()
        manager.groups.clear()
        Attempt.objects.filter(activity_run__release=shop).update(follow_at=timezone.now())
        until(lambda: state_of(shop) == "on_hold", patience=10)
    assert "404" in run_of(shop, "ship/cart").error


def test_a_token_that_stays_refused_ends_it_and_one_that_is_mended_in_time_does_not(
    here: Connection, engine: ScriptedRunner, manager: User
) -> None:
    cart = start(CART, now=timezone.now())

    def look(**told: Any) -> None:
        Attempt.objects.filter(activity_run__release=shop).update(follow_at=timezone.now(), **told)

    def attempt() -> Attempt:
        return Attempt.objects.get(activity_run__release=shop)

    with following():
        shop = waiter_of(cart)
        User.objects.filter(pk=manager.pk).update(is_active=False)
        look()
        until(lambda: "401" in attempt().error)
        assert state_of(shop) == "running"
        again, told = Attempt.objects.values_list("follow_at", "progress").get(activity_run__release=shop)
        assert again is not None
        assert told is not None
        assert again - timezone.now() > timedelta(seconds=30)
        since = told["refused_since"]
        User.objects.filter(pk=manager.pk).update(is_active=True)
        look()
        until(lambda: attempt().progress == {})
        assert attempt().error.startswith("Waits for")
        User.objects.filter(pk=manager.pk).update(is_active=False)
        long_ago = str(datetime.fromisoformat(since) - timedelta(minutes=5))
        look(progress={"refused_since": long_ago, "refused_times": 4})
        until(lambda: state_of(shop) == "on_hold")
    assert "has refused the connection's sign-in for 5 minutes" in run_of(shop, "ship/cart").error
    assert "do not try again" in run_of(shop, "ship/cart").error


def test_whoever_waits_can_be_stopped(here: Connection, engine: ScriptedRunner) -> None:
    cart = start(CART, now=timezone.now())
    with following():
        shop = waiter_of(cart)
        lifecycle.abort(shop.pk, actor=None, now=timezone.now(), reason="Not today")
        until(lambda: Attempt.objects.get(activity_run__release=shop).status == "cancelled")
    cart.refresh_from_db()
    assert cart.state == "running"


def test_whoever_waits_for_a_release_is_named_to_those_who_may_see_both(
    here: Connection, engine: ScriptedRunner, manager: User, stranger: User
) -> None:
    engine.script["compile"] = [Outcome("succeeded", outputs={"image": "cart:1"})]
    cart = start(CART, now=timezone.now())
    with following():
        shop = waiter_of(cart)
        (waiter,) = awaited_by(manager, cart)
        assert (waiter.name, waiter.release) == ("Cart", shop)
        assert awaited_by(stranger, cart) == []
        work(cart)
        until(lambda: state_of(shop) == "succeeded")
    assert awaited_by(manager, cart) == []


def test_two_that_wait_for_each_other_are_seen_from_both_sides(
    here: Connection, engine: ScriptedRunner, manager: User
) -> None:
    first, second = (start(SHOP % 1, now=timezone.now()) for _ in range(2))
    for one, other in ((first, second), (second, first)):
        run = run_of(one, "ship/cart")
        given = {**run.work["parameters"], "release": str(other.pk), "phase": "ship", "activity": "cart"}
        run.work = {**run.work, "parameters": given}
        run.save(update_fields=["work"])
        work(one)
    with following():
        until(lambda: not Attempt.objects.filter(error="").exists())
        for one, other in ((first, second), (second, first)):
            assert [waiter.release for waiter in awaited_by(manager, one)] == [other]
            words = run_blocked(run_of(one, "ship/cart"), now=timezone.now()).links[0].words
            assert "Waits for ship/cart in Release 1.2.3" in words
