"""The stories of the provider `github`, told again: every question and answer must be as GitHub describes its API.

The description is @octokit/openapi's, had from npm. Where it cannot be had, these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.engines import Connected
from activities.runners import Order
from tests.contract import Contract, asked
from tests.engine_double import Reply, Request, double
from tests.github_double import GitHub, storage
from tests.installed import CannotBeHad, installed, run
from tests.pure.test_github import *  # noqa: F403
from tests.pure.test_github import ENGINE, KEY, ask, look, start

VERSION = "23.0.2"
RUNS = "/repos/shop/cart/actions/runs"
DISPATCHES = "/repos/shop/cart/actions/workflows/deploy.yml/dispatches"

pytestmark = pytest.mark.real


def _install(place: Path) -> None:
    if shutil.which("npm") is None:
        raise CannotBeHad("GitHub's description needs npm, and there is none here")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    run("npm", "install", *quiet, "--prefix", place, f"@octokit/openapi@{VERSION}")


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What GitHub says of its API."""
    try:
        place = installed(f"github-openapi-{VERSION}", _install)
    except CannotBeHad as error:
        pytest.skip(f"GitHub's description cannot be had: {error}")
    path = place / "node_modules/@octokit/openapi/generated/api.github.com.json"
    return Contract(json.loads(path.read_bytes()), error="#/components/schemas/basic-error")


@pytest.fixture  # type: ignore[no-redef]
def github(contract: Contract, settings: Any) -> Iterator[GitHub]:
    """In the place of the stories' own double: one that is watched."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    contract.faults.clear()
    github = GitHub()
    with double(contract.watched(github)) as api, double(storage(github)) as there:
        github.storage = there.url
        github.url = api.url  # type: ignore[attr-defined]
        github.asked = api.asked  # type: ignore[attr-defined]
        yield github
    assert contract.faults == []


def test_githubs_own_examples_are_understood(contract: Contract, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with double(contract.example) as api:
        connection = Connected("gh", {"url": api.url, "repository": "octocat/Hello-World"}, "gh-token")
        order = Order(KEY, connection.settings, {"pipeline": "ci.yml"}, "gh-token", {}, started_at=datetime.now(UTC))
        told = ask(lambda web: ENGINE.check(connection, web))
        picked = ask(lambda web: ENGINE.pipelines(connection, web, ""))
        started, seen = start(order), look(order, "30433642")
        ask(lambda web: ENGINE.cancel(order, "30433642", web))
    assert told.startswith("GitHub knows us as octocat, who can see octocat/Hello-World, but")
    assert [(one.id, one.name) for one in picked] == [("blank.yaml", "CI"), ("linter.yaml", "Linter")]
    assert (started.status, started.reference) == ("running", "1")
    assert seen.link == "https://github.com/octo-org/octo-repo/actions/runs/30433642"


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", "/users/me/more/than/that"), Reply(404, {}), "is not in the description"),
        (asked("PUT", f"{RUNS}/7"), Reply(), "is not in the description"),
        (asked("GET", f"{RUNS}/seven"), Reply(404, {}), "'run_id' cannot be 'seven'"),
        (asked("GET", f"{RUNS}/7/jobs", page_size="100"), Reply(404, {}), "unknown 'page_size'"),
        (asked("POST", DISPATCHES), Reply(204), "the body is missing"),
        (asked("POST", DISPATCHES, {"inputs": {}}), Reply(204), "'ref' is a required property"),
        (asked("POST", DISPATCHES, {"ref": "main", "input": {}}), Reply(204), "'input' was unexpected"),
        (asked("POST", DISPATCHES, {"ref": "main", "inputs": []}), Reply(204), r"\[\] is not of type 'object'"),
        (asked("POST", f"{RUNS}/7/cancel", {}), Reply(202, {}), "a body of application/json is not taken"),
        (asked("POST", f"{RUNS}/7/cancel"), Reply(200, {}), "is not answered with 200"),
        (asked("GET", f"{RUNS}/7"), Reply(200, {"id": "7"}), "'7' is not of type 'integer'"),
        (asked("GET", f"{RUNS}/7"), Reply(200, {"title": "x"}), "'title' was unexpected"),
        (asked("GET", f"{RUNS}/7/jobs"), Reply(200, {"jobs": [{"status": "over"}]}), "'over' is not one of"),
        (asked("GET", f"{RUNS}/7"), Reply(404, {"error": "Not Found"}), "'error' was unexpected"),
    ],
)
def test_what_github_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    assert contract.faults_of(asked("GET", f"{RUNS}/7"), Reply(200, {"id": 7, "conclusion": None})) == []
