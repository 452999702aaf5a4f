"""The tree a release would start with: expanded once, for however many releases, until something new is published."""

from __future__ import annotations

import pytest

from processes.models import Process
from processes.services import apply
from releases.models import Release
from releases.trees import expansion_of, expansions_of, trees_of
from tests.builders import MONDAY, revision_of, start

pytestmark = pytest.mark.django_db

STORE = "{{kind: Activity, id: thank, name: Thank, type: manual, manual: {{instructions: {text}}}}}"
SHOP = """
kind: Process
id: {id}
name: Shop
phases: [{{id: plan, name: Plan, activities: [{{id: {activity}, activity: thank}}]}}]
"""


def publish(*documents: str) -> None:
    apply(None, "\n---\n".join(documents), now=MONDAY, publish=True)


def draft(process: str, **more: object) -> Release:
    return Release(process=Process.objects.get(slug=process), name="Spring", **more)


def instructions(release: Release) -> list[str]:
    expansion = expansion_of(release)
    assert expansion is not None
    return [node["spec"]["instructions"] for node in expansion.tree["nodes"] if node["kind"] == "manual"]


def test_a_tree_is_expanded_once_and_again_when_what_it_uses_is_published(django_assert_num_queries):
    publish(STORE.format(text="Thank."), SHOP.format(id="shop", activity="thank"))
    release = draft("shop")
    assert instructions(release) == ["Thank."]
    with django_assert_num_queries(1):
        assert instructions(release) == ["Thank."]
    publish(STORE.format(text="Send a card."))
    assert instructions(release) == ["Send a card."]


def test_many_releases_ask_once_and_each_gets_its_own(django_assert_max_num_queries):
    publish(
        STORE.format(text="Thank."), SHOP.format(id="shop", activity="thank"), SHOP.format(id="bar", activity="cheer")
    )
    first = Process.objects.get(slug="shop").revisions.get()
    publish(SHOP.format(id="shop", activity="praise"))
    waiting = [draft("shop"), draft("bar"), draft("shop", revision=first)]
    with django_assert_max_num_queries(5):
        found = expansions_of(waiting)
    paths = [[node["path"] for node in one.tree["nodes"] if node["kind"] == "manual"] for one in found if one]
    assert paths == [["plan/praise"], ["plan/cheer"], ["plan/thank"]]


def test_what_runs_has_its_pinned_tree_and_what_is_not_published_has_none():
    running = start("{id: run, phases: [{id: plan, activities: [{id: thank, manual: {instructions: Thank.}}]}]}")
    apply(None, "{kind: Process, id: new, name: New, phases: []}", now=MONDAY)
    new = draft("new")
    pinned, nothing, again = trees_of([running, new, running])
    assert running.snapshot is not None
    assert pinned == again == running.snapshot.tree
    assert nothing is None
    assert expansion_of(new) is None


def test_what_does_not_expand_says_why_and_has_no_tree():
    revision, _ = revision_of("{id: shop, phases: [{id: plan, activities: [{id: thank, activity: gone}]}]}")
    release = Release(process=revision.process, name="Spring")
    expansion = expansion_of(release)
    assert expansion is not None
    assert [fault.path for fault in expansion.faults] == ["thank"]
    assert trees_of([release]) == [None]
