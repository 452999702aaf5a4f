"""The pages of processes and of the Activity Store: what they say of drafts and revisions, and to whom.

shop: build(compile ──> sign: two of qa) ──> ship(deploy: from the store)
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from processes.models import InputSet, Process
from processes.services.applying import apply
from releases.groups import save_group
from tests.builders import scripted_connection
from tests.edges.pages import Reader, publish, start
from tests.edges.test_pages_costs import queries
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

DEPLOY = """
kind: Activity
id: deploy
name: Deploy one service
type: automated
tags: [deployment]
inputs: {service: {type: string, required: true}, percent: {type: integer, default: 5, max: 100}}
outputs: {where: {type: string, description: Where it runs now}}
automated: {connection: scripted, pipeline: deploy}
timeout: 10m
"""
SHOP = """
kind: Process
id: shop
name: Shop
description: Sells things.
inputs: {version: {type: string, required: true, pattern: '^[0-9.]+$', description: What is sold}}
phases:
  - id: build
    name: Build
    owners: [group:development]
    activities:
      - {id: compile, automated: {connection: scripted, pipeline: compile}, retry: {attempts: 3, delay: 1s}}
      - id: sign
        name: Sign it off
        depends_on: [compile]
        manual: {instructions: "Look **twice**.", approval: {rules: [{group: qa, count: 2}]}}
  - id: ship
    name: Ship
    depends_on: [build]
    activities: [{id: deploy, activity: deploy, with: {service: cart}, when: "${{ inputs.version != '0' }}"}]
---
kind: InputSet
id: usual
name: Usual
process: shop
values: {inputs: {version: "1.0"}}
---
kind: InputSet
id: zero
name: Bare
process: shop
values: {}
"""
PARTS = ("", "revisions/", "changes/", "input-sets/", "used-by/", "export/")
ADDRESSES = [f"/processes/shop/{part}" for part in PARTS]
ADDRESSES += [f"/store/deploy/{part}" for part in PARTS if part != "input-sets/"]


@pytest.fixture(autouse=True)
def shop(groups: Any, engine: ScriptedRunner) -> Process:
    """The process and its store activity, both published once."""
    scripted_connection()
    apply(None, DEPLOY, now=timezone.now(), publish=True)
    return publish(SHOP)


def seeing(person: User, process: Process, *permissions: str) -> Reader:
    for name in permissions:
        permission = Permission.objects.get(codename=name)
        person.processuserpermission_set.create(permission=permission, content_object=process)
    return Reader(person)


def edit(old: str, new: str) -> None:
    apply(None, SHOP.replace(old, new), now=timezone.now())


def test_the_list_tells_revisions_drafts_groups_and_what_runs(shop: Process, manager: User) -> None:
    save_group(None, {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop"}, now=timezone.now())
    start(shop, manager)
    reader = Reader(manager)
    assert re.search(
        r"Shop shop Sells things\. @1 1 group 1 running .* published by pilothouse", reader.open("/processes/")
    )
    edit("Sells things", "Sells everything")
    assert "@1 Draft differs" in reader.open("/processes/")
    apply(None, SHOP.replace("id: shop", "id: new").partition("---")[0], now=timezone.now())
    assert "Shop new Sells things. Never published" in reader.open("/processes/")


def test_the_list_is_searched_and_turned(author: User) -> None:
    for number in range(30):
        apply(None, SHOP.partition("---")[0].replace("id: shop", f"id: p-{number:02}"), now=timezone.now())
    reader = Reader(author)
    assert "p-24" in reader.open("/processes/")
    assert "p-25" not in reader.text
    assert "p-25" in reader.open("/processes/?after=p-24")
    assert "p-24" not in reader.text
    assert "p-07" in reader.open("/processes/?q=P-07+shop")
    assert "p-08" not in reader.text
    assert "No process matches" in reader.open("/processes/?q=nothing")
    reader.open("/processes/?q=p-07", HX_Request="true", HX_Target="div#list")
    assert reader.source.startswith('<div id="list">')


def test_the_outline_tells_order_owners_approvals_and_values(author: User) -> None:
    reader = Reader(author)
    text = reader.open("/processes/shop/")
    assert "2 phases, 3 activities" in text
    assert "version required string matches ^[0-9.]+$ asked for What is sold" in text
    assert "Build build development" in text
    assert "Sign it off after Compile qa" in text
    assert "Look twice . Approved by 2 of qa; not whoever started the release" in text
    assert "Tried again up to 3 attempts, 1s apart" in text
    assert "Ship ship after Build" in text
    assert "Deploy Deploy one service" in text
    assert "Only when ${{ inputs.version != '0' }} Times out after 10m" in text
    assert re.search(r"service required string cart percent integer at most 100 default 5", text)
    nodes = re.findall(
        r'id="node-([^"]+)" data-needs="([^"]*)">\s*<a class="node-link" href="#([^"]+)">', reader.source
    )
    assert nodes == [
        ("stage-0", "", "build"),
        ("stage-0-0", "", "build.compile"),
        ("stage-0-1", "stage-0-0", "build.sign"),
        ("stage-1", "stage-0", "ship"),
        ("stage-1-0", "", "ship.deploy"),
    ]
    assert all(f'<li id="{place}"' in reader.source or f'id="{place}">' in reader.source for _, _, place in nodes)
    assert 'href="/store/deploy/"' in reader.source


def test_a_draft_is_told_from_what_is_published(author: User) -> None:
    edit("name: Ship", "name: Ship it")
    reader = Reader(author)
    assert "Ship it" not in reader.open("/processes/shop/")
    assert "Ship it" in reader.open("/processes/shop/?revision=draft")
    assert "Releases run revision 1 until it is published" in reader.text


def test_revisions_are_listed_and_any_two_compared(author: User) -> None:
    edit("name: Ship", "name: Ship it")
    apply(None, SHOP.replace("name: Ship", "name: Ship it"), now=timezone.now(), publish=True)
    edit("name: Ship", "name: Ship all")
    reader = Reader(author)
    text = reader.open("/processes/shop/revisions/")
    assert text.index("@2") < text.index("@1")
    assert "pilothouse" in text
    assert "Phase 'ship': 'name' changed from 'Ship it' to 'Ship all'." in reader.open("/processes/shop/changes/")
    assert "'name' changed from 'Ship' to 'Ship it'." in reader.open("/processes/shop/changes/?a=1&b=2")
    assert "Nothing differs" in reader.open("/processes/shop/changes/?a=2&b=2")


def test_input_sets_say_what_they_lack(author: User) -> None:
    text = Reader(author).open("/processes/shop/input-sets/")
    assert "Usual usual Complete" in text
    assert "Bare zero 1 thing missing or wrong values.inputs.version 'version' is required and has no value." in text
    assert "Incomplete" in text


def test_used_by_names_only_what_the_reader_may_see(shop: Process, author: User, manager: User, stranger: User) -> None:
    release = start(shop, manager, name="Secret plan")
    save_group(None, {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop"}, now=timezone.now())
    text = seeing(stranger, shop, "view_process").open("/processes/shop/used-by/")
    assert "Secret plan" not in text
    assert "Train" not in text
    assert "4 that you may not see" in text
    text = Reader(manager).open("/processes/shop/used-by/")
    assert "Release group Train train" in text
    assert f"Release {release}" in text
    assert "you may not see" not in text
    assert "Process Shop shop ship.deploy in revision 1" in Reader(author).open("/store/deploy/used-by/")


def test_the_file_is_the_document(author: User) -> None:
    reader = Reader(author)
    reader.open("/processes/shop/export/")
    assert reader.headers["Content-Disposition"] == 'attachment; filename="shop.yaml"'
    assert yaml.safe_load(reader.source) == yaml.safe_load(SHOP.partition("---")[0])
    reader.open("/store/deploy/export/?revision=1")
    assert reader.headers["Content-Disposition"] == 'attachment; filename="deploy-1.yaml"'
    assert yaml.safe_load(reader.source) == yaml.safe_load(DEPLOY)


def test_the_store_tells_kinds_and_users(author: User) -> None:
    reader = Reader(author)
    assert "Deploy one service deploy @1 Automated 1 process" in reader.open("/store/")
    assert "No activity matches" in reader.open("/store/?kind=manual")
    text = reader.open("/store/deploy/")
    assert "Connection scripted Pipeline deploy Times out after 10m" in text
    assert "service required string asked for" in text
    assert "where string Where it runs now" in text
    apply(None, DEPLOY.replace("max: 100", "max: 50"), now=timezone.now())
    assert "Draft differs" in reader.open("/store/")
    assert "changed from '100' to '50'" in reader.open("/store/deploy/changes/")


def test_who_may_see_one_process_sees_that_one(shop: Process, stranger: User) -> None:
    reader = seeing(stranger, shop, "view_process")
    apply(None, SHOP.partition("---")[0].replace("id: shop", "id: other"), now=timezone.now())
    assert "other" not in reader.open("/processes/")
    assert "Shop" in reader.open("/processes/shop/")
    assert 'href="/store/deploy/"' not in reader.source
    assert "New release" not in reader.text
    assert "No input sets" in reader.open("/processes/shop/input-sets/")
    reader.open("/processes/other/")
    assert reader.status == 404
    assert "New release" in seeing(stranger, shop, "start_process").open("/processes/shop/")


def test_a_stranger_finds_nothing(stranger: User) -> None:
    reader, nobody = Reader(stranger), Reader()
    for address in ADDRESSES:
        reader.open(address)
        assert (address, reader.status) == (address, 404)
        nobody.open(address)
        assert (address, nobody.status) == (address, 302)
        reader.send(address)
        assert reader.status in (404, 405)
    assert "Shop" not in reader.open("/processes/")
    assert "Deploy" not in reader.open("/store/")
    assert "Shop" not in reader.open("/processes/?q=shop").replace('value="shop"', "")


@pytest.mark.parametrize(
    "address",
    [
        "/processes/shop/?revision=99",
        "/processes/shop/?revision=x",
        "/processes/shop/?revision=99999999999999999999",
        "/processes/shop/?revision=%00",
        "/processes/shop/changes/?a=99",
        "/processes/shop/changes/?a=draft&b=%D9%A1",
        "/processes/shop/export/?revision=0",
        "/store/deploy/?revision=-1",
        "/store/deploy/changes/?b=1e3",
        "/store/deploy/export/?revision=%22x",
    ],
)
def test_a_revision_that_there_is_not_is_not_found(author: User, address: str) -> None:
    reader = Reader(author)
    reader.open(address)
    assert reader.status == 404


@pytest.mark.parametrize(
    "address",
    [
        "/processes/?q=%00&after=%00",
        f"/processes/?q={'x' * 900}&after={'y' * 900}",
        "/processes/shop/revisions/?before=x",
        "/processes/shop/revisions/?before=99999999999999999999",
        "/processes/shop/input-sets/?after=%00",
        "/store/?kind=nonsense&q=%25",
    ],
)
def test_what_makes_no_sense_in_a_list_is_passed_over(author: User, address: str) -> None:
    reader = Reader(author)
    reader.open(address)
    assert reader.status == 200


def test_lists_cost_the_same_for_one_and_for_many(shop: Process, author: User, manager: User) -> None:
    addresses = ["/processes/", "/store/", "/processes/shop/input-sets/", "/processes/shop/used-by/"]
    start(shop, manager)
    readers = [Reader(author), Reader(manager)]

    def costs() -> list[int]:
        return [queries(reader, address) for reader, address in pairs]

    pairs = [(readers[0], address) for address in addresses] + [(readers[1], "/processes/")]
    few = costs()
    for number in range(20):
        text = SHOP.partition("---")[0].replace("id: shop", f"id: p-{number}")
        apply(None, f"{text}---\n{DEPLOY.replace('id: deploy', f'id: d-{number}')}", now=timezone.now(), publish=True)
        InputSet.objects.create(slug=f"s-{number}", name="S", process=shop, values={"inputs": {"version": "1"}})
        start(shop, manager)
    assert costs() == few


def test_an_outline_costs_the_same_with_three_activities_and_with_sixty(author: User) -> None:
    few = queries(Reader(author), "/processes/shop/")
    lines = [f"      - {{id: d-{number}, activity: deploy, with: {{service: cart}}}}" for number in range(60)]
    publish(
        "kind: Process\nid: large\nname: Large\nphases:\n  - id: a\n    name: A\n    activities:\n" + "\n".join(lines)
    )
    assert queries(Reader(author), "/processes/large/") == few
