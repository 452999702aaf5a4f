"""What a freeze's scope holds, and what of a release and an activity it can name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from processes.catalogue import DocumentCatalogue
from processes.expansion import expand
from releases.scopes import Subject, in_scope, subject_of_activity, subject_of_release
from releases.tree import Tree

CART = Subject(
    group="train",
    process="shop",
    resources=frozenset({"cart", "production", "queue"}),
    services=frozenset({"cart"}),
    environments=frozenset({"production"}),
    tags=frozenset({"deployment", "web"}),
    called=frozenset({"canary"}),
)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        ({"everything": True}, True),
        ({"everything": True, "groups": ["other"]}, True),
        ({"everything": False, "groups": ["other"]}, False),
        ({}, False),
        ({"groups": []}, False),
        ({"groups": ["train"]}, True),
        ({"groups": ["other", "train"]}, True),
        ({"processes": ["shop"]}, True),
        ({"processes": ["canary"]}, True),
        ({"processes": ["other"]}, False),
        ({"resources": ["production"]}, True),
        ({"resources": ["queue"]}, True),
        ({"services": ["cart"]}, True),
        ({"services": ["production"]}, False),
        ({"environments": ["production"]}, True),
        ({"environments": ["cart"]}, False),
        ({"tags": ["web"]}, True),
        ({"tags": ["deployment"], "environments": ["production"]}, True),
        ({"tags": ["deployment"], "environments": ["staging"]}, False),
        ({"tags": ["deployment"], "environments": []}, True),
    ],
)
def test_every_key_must_match_and_any_of_its_ids(scope: dict[str, Any], holds: bool) -> None:
    assert in_scope(scope, CART) is holds


def test_where_it_cannot_be_told_what_is_touched_any_resource_may_be() -> None:
    unsure = replace(CART, is_partial=True)
    for key in ("resources", "services", "environments"):
        assert in_scope({key: ["other"]}, unsure)
    assert not in_scope({"tags": ["other"], "environments": ["other"]}, unsure)


def test_an_ad_hoc_release_is_in_no_group() -> None:
    assert not in_scope({"groups": ["", "train"]}, replace(CART, group=""))


KINDS = {"cart": "service", "payments": "service", "production": "environment", "staging": "environment"}
# shop: build(compile) ── ship[tag](deploy(environment), dry(environment: staging), canary ▷ canary(try), each ▷ item)
DOCUMENTS = """
kind: Process
id: canary
name: Canary
inputs: {place: {type: environment, required: true}, extra: {type: string}}
resources: [payments, load-balancer, "${{ inputs.extra }}"]
phases: [{id: go, name: Go, activities: [{id: try, tags: [careful], wait: 1h}]}]
---
kind: Process
id: shop
name: Shop
tags: [web]
inputs:
  environment: {type: environment, default: production}
  late: {type: string}
  services: {type: list, items: service}
resources: [cart, queue, "${{ inputs.environment }}", "${{ inputs.late }}"]
phases:
  - {id: build, name: Build, activities: [{id: compile, wait: 1h}]}
  - id: ship
    name: Ship
    tags: [deployment]
    activities:
      - {id: deploy, activity: deploy, with: {environment: "${{ inputs.environment }}"}}
      - {id: dry, activity: deploy, with: {environment: staging}}
      - {id: unknown, activity: deploy, with: {environment: "${{ phases.build.activities.compile.outputs.where }}"}}
      - {id: canary, subprocess: canary, with: {place: staging, extra: "${{ inputs.environment }}-proxy"}}
      - {id: each, for_each: "${{ inputs.services }}", activity: restart, with: {service: "${{ item }}"}}
---
kind: Activity
id: deploy
name: Deploy
type: wait
inputs: {environment: {type: environment, required: true}}
wait: 1h
---
kind: Activity
id: restart
name: Restart
type: wait
inputs: {service: {type: service, required: true}}
wait: 1h
"""


@pytest.fixture(scope="module")
def tree() -> Tree:
    documents = list(yaml.safe_load_all(DOCUMENTS))
    return Tree.from_snapshot(expand(documents[1], 1, DocumentCatalogue(documents)))


def shop(tree: Tree, **inputs: Any) -> Subject:
    return subject_of_release(tree.nodes[0].doc, group="train", inputs=inputs, kinds=KINDS)


def of(tree: Tree, path: str, **more: Any) -> Subject:
    ordinal = max(node.ordinal for node in tree.nodes if node.doc["path"] == path)
    inputs = {"environment": "production"}
    release = shop(tree, **inputs)
    resolved: dict[int, dict[str, Any]] = {0: inputs}
    if "own" in more:
        resolved[ordinal] = more.pop("own")
    return subject_of_activity(tree, ordinal, release=release, inputs=resolved, kinds=KINDS, **more)


def test_a_release_is_its_group_process_tags_and_what_it_touches(tree: Tree) -> None:
    assert shop(tree, environment="production", late="payments") == Subject(
        group="train",
        process="shop",
        resources=frozenset({"cart", "payments", "production", "queue"}),
        services=frozenset({"cart", "payments"}),
        environments=frozenset({"production"}),
        tags=frozenset({"web"}),
    )


def test_a_resource_that_is_not_known_yet_is_left_out(tree: Tree) -> None:
    assert shop(tree).resources == {"cart", "queue"}


def test_inputs_that_name_services_count_one_and_many(tree: Tree) -> None:
    assert shop(tree, services=["new", "payments"]).services == {"cart", "new", "payments"}


def test_an_activity_has_the_tags_around_it_and_what_the_release_touches(tree: Tree) -> None:
    assert of(tree, "build/compile") == shop(tree, environment="production")
    assert of(tree, "ship/deploy").tags == {"web", "deployment"}
    assert of(tree, "ship/deploy").environments == {"production"}


def test_its_own_environment_takes_the_place_of_the_releases(tree: Tree) -> None:
    dry = of(tree, "ship/dry")
    assert dry.environments == {"staging"}
    assert dry.services == {"cart"}
    assert dry.resources == {"cart", "queue", "staging"}


def test_resolved_and_given_inputs_win_over_what_the_document_says(tree: Tree) -> None:
    given = {"ship/dry": [["start", {"environment": "production"}]]}
    assert of(tree, "ship/dry", given=given).environments == {"production"}
    assert of(tree, "ship/dry", given=given, own={"environment": "staging"}).environments == {"staging"}


def test_what_is_not_known_yet_leaves_the_releases(tree: Tree) -> None:
    assert of(tree, "ship/unknown").environments == {"production"}


def test_a_subprocess_counts_for_what_lies_in_it(tree: Tree) -> None:
    inner = of(tree, "ship/canary/go/try")
    assert inner.tags == {"web", "deployment", "careful"}
    assert inner.process == "shop"
    assert inner.called == {"canary"}
    assert inner.environments == {"staging"}
    assert inner.services == {"cart", "payments"}
    assert inner.resources == {"cart", "payments", "load-balancer", "production-proxy", "queue", "staging"}
    door = of(tree, "ship/canary")
    assert door.called == {"canary"}
    assert door.services == {"cart"}


def test_each_item_touches_its_own(tree: Tree) -> None:
    assert of(tree, "ship/each").services == {"cart"}
    assert of(tree, "ship/each", known={"item": "payments", "index": 0}).services == {"payments"}
