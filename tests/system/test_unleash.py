"""The provider `unleash` against a real Unleash, through releases that a follower follows.

Unleash keeps its data in the embedded PostgreSQL; where it cannot be had, these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from activities.connecting import check
from activities.models import Connection
from activities.secrets import set_secret
from releases.models import ActivityRun, Attempt, Release
from tests.builders import start, work
from tests.following import following, until
from tests.installed import CannotBeHad
from tests.unleash_server import ADMIN_TOKEN, ENVIRONMENT, Unleash, unleash

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.system, pytest.mark.real]

PATIENCE = 60.0
NUMBERS = count(1)
PROCESS = """
id: shop
inputs: {flag: {type: string, required: true}}
phases:
  - id: ship
    activities:
      - id: do
        automated: {connection: unleash, pipeline: "%s", parameters: {flag: "${{ inputs.flag }}"%s}}
        timeout: 2m
"""
BACK = """
id: careful
phases:
  - id: ship
    activities:
      - id: more
        automated: {connection: unleash, pipeline: rollout, parameters: {flag: checkout, percentage: "75"}}
      - id: back
        depends_on: [more]
        automated:
          connection: unleash
          pipeline: rollout
          parameters:
            flag: checkout
            percentage: "${{ phases.ship.activities.more.outputs.previous_percentage }}"
            enabled: "${{ phases.ship.activities.more.outputs.previous_enabled }}"
"""


@pytest.fixture(scope="module")
def server(servers: None) -> Iterator[Unleash]:
    """An Unleash of its own."""
    if not configured.EMBEDDED:
        pytest.skip("Unleash needs the embedded PostgreSQL")
    try:
        with unleash(configured.STATE, "unleash_tests", fresh=True) as running:
            yield running
    except CannotBeHad as error:
        pytest.skip(f"Unleash cannot be had: {error}")


@pytest.fixture
def connection(server: Unleash, settings: Any) -> Connection:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    secret = set_secret(None, "unleash-token", ADMIN_TOKEN, now=timezone.now())
    known = {"url": server.url, "environment": ENVIRONMENT}
    return Connection.objects.create(slug="unleash", name="Unleash", provider="unleash", settings=known, secret=secret)


def begun(text: str, **inputs: str) -> Release:
    Release.objects.all().delete()
    release = start(text, inputs=inputs, now=timezone.now())
    work(release)
    return release


def over(release: Release) -> bool:
    work(release)
    return release.state not in ("running", "scheduled") or release.activity_runs.filter(state="on_hold").exists()


def done(verb: str, more: str = "", *, flag: str = "new-checkout") -> tuple[ActivityRun, Attempt]:
    """Carry out a verb as the only activity of a release; return its run and attempt."""
    text = (PROCESS % (verb, more)).replace("id: shop", f"id: shop-{next(NUMBERS)}")
    release = begun(text, flag=flag)
    until(lambda: over(release), patience=PATIENCE)
    run = ActivityRun.objects.get(release=release)
    return run, Attempt.objects.filter(activity_run=run).latest("number")


def test_a_flag_goes_from_nothing_to_everyone_and_off_as_applications_see_it(
    server: Unleash, connection: Connection
) -> None:
    with following():
        run, attempt = done("create", ", kind: release, description: A new checkout")
        assert (run.state, run.error) == ("succeeded", "")
        assert attempt.link == f"{server.url}/projects/default/features/new-checkout"
        assert run.outputs["enabled"] == "false"
        assert done("create")[0].state == "succeeded"
        seen = server.client_flags().get("new-checkout")
        assert seen is None or not seen["enabled"]

        run, attempt = done("rollout", ', percentage: "25", stickiness: userId')
        assert (run.state, run.outputs["percentage"], run.outputs["previous_enabled"]) == ("succeeded", "25", "false")
        assert attempt.log.text == "'new-checkout' in 'development' was off; it is on for 25 %.\n"
        until(lambda: share_seen(server) == "25")

        run, _ = done("enable")
        assert (run.state, run.error) == ("succeeded", "")
        assert run.outputs["previous_percentage"] == "25"
        until(lambda: share_seen(server) == "100")

        run, attempt = done("off")
        assert (run.state, run.error, attempt.reference) == ("succeeded", "", "on 100")
        assert run.outputs["previous_percentage"] == "100"
        until(lambda: not server.client_flags()["new-checkout"]["enabled"])


def share_seen(server: Unleash) -> str:
    """The percentage that applications get, nothing while the flag is off; they are told within a second or so."""
    flag = server.client_flags().get("new-checkout") or {}
    strategies = flag.get("strategies", [])
    assert all((one["name"], one["parameters"]["stickiness"]) == ("flexibleRollout", "userId") for one in strategies)
    return str(strategies[0]["parameters"]["rollout"]) if flag.get("enabled") and len(strategies) == 1 else ""


def test_a_release_sets_it_back_and_leaves_the_rules_of_others(server: Unleash, connection: Connection) -> None:
    features = "/api/admin/projects/default/features"
    here = f"{features}/checkout/environments/{ENVIRONMENT}"
    server.ask("POST", features, {"name": "checkout", "type": "release"})
    vip = {"contextName": "plan", "operator": "IN", "values": ["vip"]}
    body = {"name": "flexibleRollout", "title": "VIP", "constraints": [vip], "parameters": {"rollout": "100"}}
    server.ask("POST", f"{here}/strategies", body)
    segment = server.ask("POST", "/api/admin/segments", {"name": "staff", "constraints": [vip]})["id"]
    body = {"name": "flexibleRollout", "title": "Staff", "segments": [segment], "parameters": {"rollout": "100"}}
    server.ask("POST", f"{here}/strategies", body)
    with following():
        assert done("rollout", ', percentage: "40"', flag="checkout")[0].state == "succeeded"
        release = begun(BACK)
        until(lambda: over(release), patience=PATIENCE)
    assert release.state == "succeeded", list(ActivityRun.objects.values_list("path", "state", "error"))
    environments = server.read(f"{features}/checkout")["environments"]
    found = {one["title"]: one for place in environments for one in place["strategies"]}
    assert found["Pilothouse"]["parameters"]["rollout"] == "40"
    assert found["VIP"]["constraints"][0]["values"] == ["vip"]
    assert (found["Staff"]["segments"], found["Staff"]["parameters"]["rollout"]) == ([segment], "100")


def test_what_unleash_refuses_holds_the_activity_with_its_words(server: Unleash, connection: Connection) -> None:
    with following():
        run, _ = done("enable", flag="never-made")
        assert (run.state, run.error) == ("on_hold", "There is no flag 'never-made': create it first.")
        run, _ = done("create", ', kind: "no such kind"')
        assert run.state == "on_hold"
        set_secret(None, "unleash-token", "*:*.wrong", now=timezone.now())
        run, _ = done("off")
    assert run.state == "on_hold"
    assert "401" in run.error
    assert "wrong" not in run.error


def test_the_connection_is_tested(server: Unleash, connection: Connection, admin: Any) -> None:
    told = check(admin, connection)
    assert told == "Unleash knows us as admin; environments of 'default': development, production."
