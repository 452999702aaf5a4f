"""Through the API: what a release carries is attached and found again, and what is where is seen."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from releases.models import Artifact, Change
from tests.builders import start
from tests.edges.calls import Caller, all_pages
from tests.edges.things import PROCESS

pytestmark = pytest.mark.django_db


def test_a_pipeline_says_what_a_release_carries_and_anybody_who_may_see_it_finds_it(
    manager: User, owner: User, stranger: User
) -> None:
    release = start(PROCESS)
    caller, address = Caller(manager), f"releases/{release.pk}/changes/"
    body = {"commits": [{"reference": "abc1234", "repository": "shop"}], "tickets": [{"reference": "SHOP-1"}]}
    answer = caller.post(address, body)
    assert (answer.status, answer["added"], len(answer["changes"])) == (200, 2, 2)
    assert caller.post(address, body)["added"] == 0
    assert [one["reference"] for one in all_pages(Caller(owner), f"{address}?page_size=1")] == ["SHOP-1", "abc1234"]
    found = all_pages(Caller(owner), "changes/?reference=ABC12&kind=commit")
    assert [(one["release"], one["added_by"]) for one in found] == [(release.pk, "manager")]
    assert all_pages(Caller(owner), "changes/?reference=bc12") == []
    assert Caller(stranger).get("changes/")["results"] == []
    refused = Caller(owner).post(address, body)
    assert (refused.status, refused.code) == (403, "not_permitted")


def test_what_cannot_be_attached_is_told_whole(manager: User) -> None:
    release = start(PROCESS)
    body = {"commits": [{"reference": "", "colour": "red"}, {"reference": "a", "link": "javascript:x"}], "x": 1}
    answer = Caller(manager).post(f"releases/{release.pk}/changes/", body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert {"x", "commits.0.reference", "commits.0.colour"} <= answer.paths
    answer = Caller(manager).post(
        f"releases/{release.pk}/changes/", {"commits": [{"reference": "a", "link": "ftp://x"}]}
    )
    assert (answer.status, answer.paths) == (400, {"commits[0].link"})
    assert not Change.objects.exists()


def test_what_is_where_is_the_newest_of_each_artifact_in_each_environment(manager: User, stranger: User) -> None:
    release = start(PROCESS)
    caller, address = Caller(manager), f"releases/{release.pk}/artifacts/"
    for name, version, environment in (
        ("cart", "1", "production"),
        ("cart", "2", "production"),
        ("cart", "3", "staging"),
        ("till", "1", "production"),
        ("cart", "4", ""),
    ):
        answer = caller.post(address, {"name": name, "version": version, "environment": environment})
        assert answer.status == 200, answer
    seen = [(one["environment"], one["name"], one["version"]) for one in all_pages(caller, "environments/?page_size=1")]
    assert seen == [("production", "till", "1"), ("staging", "cart", "3"), ("production", "cart", "2")]
    assert [one["release"] for one in caller.get("environments/?environment=staging")["results"]] == [release.pk]
    assert [one["name"] for one in caller.get("environments/?name=till")["results"]] == ["till"]
    assert Caller(stranger).get("environments/")["results"] == []
    bad = caller.post(address, {"name": "", "link": "javascript:alert(1)"})
    assert (bad.status, Artifact.objects.count()) == (400, 5)
