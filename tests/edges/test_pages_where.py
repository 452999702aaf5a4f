"""From a deployment one reaches the code and back: the pages of what releases carry and of what is where."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from releases.models import Release
from releases.services.attaching import attach_artifact, attach_changes
from tests.builders import MONDAY, start
from tests.edges.pages import Reader, page_of
from tests.edges.test_pages_costs import queries
from tests.edges.things import PROCESS

pytestmark = pytest.mark.django_db
WHERE = "/environments/"


@pytest.fixture
def release(groups: dict[str, Group]) -> Release:
    return start(PROCESS)


def put(release: Release, name: str, version: str, environment: str, **more: str) -> None:
    attach_artifact(None, release, {"name": name, "version": version, "environment": environment, **more}, now=MONDAY)


def carry(release: Release, count: int = 1) -> None:
    commits = [{"reference": f"abc{number:04}", "title": f"Mend {number}"} for number in range(count)]
    tickets = [{"reference": "SHOP-1", "title": "<b>Cart</b>", "link": "https://tickets.example/SHOP-1"}]
    attach_changes(None, release, {"commits": commits, "tickets": tickets}, now=MONDAY)


def test_a_release_says_how_changes_get_there_until_it_has_some(release: Release, manager: User, owner: User) -> None:
    assert "outputs named tickets and commits" in Reader(owner).open(page_of(release, "changes/"))
    assert f"POST /api/v1/releases/{release.pk}/changes/" in Reader(manager).open(page_of(release, "changes/"))


def test_a_release_shows_tickets_commits_and_artifacts_with_where_they_are(release: Release, owner: User) -> None:
    carry(release)
    put(release, "cart", "1", "production", commit="abc0000")
    put(release, "cart", "1", "staging", commit="abc0000")
    put(start(PROCESS), "cart", "2", "staging")
    put(release, "till", "7", "")
    reader = Reader(owner)
    text = reader.open(page_of(release, "changes/"))
    for word in ("SHOP-1", "<b>Cart</b>", "abc0000 Mend 0", "production there now", "staging now 2", "nowhere yet"):
        assert word in text
    assert 'href="https://tickets.example/SHOP-1" rel="noopener noreferrer nofollow"' in reader.source
    assert "<b>Cart</b>" not in reader.source


def test_commits_are_shown_a_page_at_a_time(release: Release, owner: User) -> None:
    carry(release, 60)
    reader = Reader(owner)
    reader.open(page_of(release, "changes/"))
    assert ("abc0059" in reader.source, "abc0009" in reader.source) == (True, False)
    older = reader.source.partition('rel="next" href="')[2].partition('"')[0]
    text = reader.open(page_of(release, f"changes/{older}"))
    assert "abc0009" in text
    assert "Older commits" not in text


def test_what_is_where_shows_the_newest_of_each_and_how_it_came_there(release: Release, owner: User) -> None:
    for version in ("1.0", "1.1"):
        put(release, "registry/cart", version, "eu/prod", commit="abc0001", digest="sha256:ff00")
    put(release, "till", "3", "staging")
    reader = Reader(owner)
    text = reader.open(WHERE)
    assert ("1.1" in text, "1.0" in text, "not there" in text) == (True, False, True)
    text = reader.open(f"{WHERE}?environment=eu/prod")
    assert ("1.1" in text, "abc0001" in text, "till" in text) == (True, True, False)
    text = reader.open(f"{WHERE}history/?environment=eu%2Fprod&name=registry%2Fcart")
    assert text.index("1.1") < text.index("1.0")
    assert text.count("there now") == 1


@pytest.mark.parametrize("q", ["abc00", "ABC0000", "shop-1", "1.4", "ff00", "sha256:ff", "c0ffee"])
def test_a_release_is_found_by_what_it_carries(release: Release, owner: User, q: str) -> None:
    carry(release)
    put(release, "cart", "1.4.2", "production", digest="sha256:ff00", commit="c0ffee1")
    other = start(PROCESS)
    text = Reader(owner).open(f"{WHERE}search/?q={q}")
    assert text.count("Running") == 1
    assert page_of(release, "changes/") in Reader(owner).client.get(f"{WHERE}search/?q={q}").content.decode()
    assert page_of(other, "changes/") not in text


@pytest.mark.parametrize("q", ["", "a", "%", "zzzz", "_bc", "\0", "x" * 300])
def test_what_nobody_carries_is_said(release: Release, owner: User, q: str) -> None:
    carry(release)
    reader = Reader(owner)
    text = reader.open(f"{WHERE}search/?" + ("q=" + q.replace("\0", "%00").replace("%", "%25") if q else ""))
    assert reader.status == 200
    assert "No release carries" in text or "What are you looking for?" in text


@pytest.mark.parametrize(
    "address",
    ["?environment=moon", "history/", "history/?name=x&environment=%00", "history/?name=cart&environment=moon"],
)
def test_an_environment_or_artifact_that_is_nowhere_is_not_found(release: Release, owner: User, address: str) -> None:
    put(release, "cart", "1", "production")
    reader = Reader(owner)
    reader.open(WHERE + address)
    assert reader.status == 404


def test_odd_places_in_the_address_lead_somewhere(release: Release, owner: User) -> None:
    put(release, "cart", "1", "production")
    reader = Reader(owner)
    for address in ("?after=%00", "?after=zzz", "search/?q=ca&before=x", "search/?q=ca&before=9" + "9" * 30,
                    "history/?name=cart&environment=production&before=-1"):  # fmt: skip
        reader.open(WHERE + address)
        assert reader.status == 200, address
    reader.open(page_of(release, "changes/?before=²"))
    assert reader.status == 200


def test_a_stranger_learns_nothing(release: Release, stranger: User) -> None:
    carry(release)
    put(release, "cart", "1", "production")
    reader = Reader(stranger)
    for address in ("", "search/?q=SHOP", "search/?q=abc", "search/?q=1"):
        text = reader.open(WHERE + address)
        assert reader.status == 200
        assert "production" not in text
        assert "Release 1.2.3" not in text
    for address in (WHERE + "?environment=production", WHERE + "history/?environment=production&name=cart"):
        reader.open(address)
        assert reader.status == 404
    reader.open(page_of(release, "changes/"))
    assert reader.status == 404


def test_pages_cost_the_same_for_few_and_for_many(release: Release, owner: User, manager: User) -> None:
    carry(release)
    put(release, "cart", "1", "production")
    pages = [page_of(release, "changes/"), WHERE, f"{WHERE}?environment=production", f"{WHERE}search/?q=abc",
             f"{WHERE}history/?environment=production&name=cart"]  # fmt: skip
    readers = [Reader(owner), Reader(manager)]
    few = [queries(reader, page) for reader in readers for page in pages]
    for number in range(12):
        other = start(PROCESS)
        carry(other, 4)
        put(other, "cart", f"2.{number}", "production")
        put(other, f"part-{number}", "1", f"place-{number}")
        put(release, f"own-{number}", "1", f"place-{number}")
    assert [queries(reader, page) for reader in readers for page in pages] == few
    assert max(few) < 26
