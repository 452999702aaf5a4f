"""The stories of the provider `github`, told again: every question and answer must be as GitHub describes its API.

The description is @octokit/openapi's, had from npm. Where it cannot be had, these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import Contract
from tests.engine_double import double
from tests.github_double import GitHub, storage
from tests.installed import CannotBeHad, installed, run
from tests.pure.test_github import *  # noqa: F403

VERSION = "23.0.2"
pytestmark = pytest.mark.real


def _install(place: Path) -> None:
    if shutil.which("npm") is None:
        raise CannotBeHad("GitHub's description needs npm, and there is none here")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    run("npm", "install", *quiet, "--prefix", place, f"@octokit/openapi@{VERSION}")


@pytest.fixture(scope="session")
def description() -> Any:
    try:
        place = installed(f"github-openapi-{VERSION}", _install)
    except CannotBeHad as error:
        pytest.skip(f"GitHub's description cannot be had: {error}")
    path = place / "node_modules/@octokit/openapi/generated/api.github.com.json"
    return json.loads(path.read_bytes())


@pytest.fixture(scope="session")
def contract(description: Any) -> Contract:
    return Contract(description, error="#/components/schemas/basic-error")


@pytest.fixture
def github(contract: Contract, settings: Any) -> Iterator[GitHub]:
    """In the place of the stories' own double: one that is looked after."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    contract.faults.clear()
    github = GitHub()
    with double(contract.watched(github)) as api, double(storage(github)) as there:
        github.storage = there.url
        github.url = api.url  # type: ignore[attr-defined]
        github.asked = api.asked  # type: ignore[attr-defined]
        yield github
    assert contract.faults == []


@pytest.fixture
def examples(contract: Contract, settings: Any) -> Iterator[str]:
    """The address of one that answers with the examples of the description."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with double(contract.example) as api:
        yield api.url


def test_every_question_of_the_provider_has_been_asked(contract: Contract) -> None:
    print(contract.used)


def test_x(examples: str) -> None:
    connection = Connected("gh", {"url": examples, "repository": "octocat/Hello-World"}, "gh-token")
    order = Order(KEY, connection.settings, {"pipeline": "deploy.yml"}, "gh-token", {}, started_at=datetime.now(UTC))
    print(ask(lambda web: ENGINE.check(connection, web)))
    print(ask(lambda web: ENGINE.pipelines(connection, web, "")))
    print(start(order))
    print(look(order, "30433642"))
    ask(lambda web: ENGINE.cancel(order, "30433642", web))
