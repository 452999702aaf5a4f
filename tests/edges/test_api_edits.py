"""Documents are put, and nobody's work is lost: ETag and If-Match."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm

from activities import secrets
from activities.models import Activity
from config.models import Event
from processes.models import Process, ProcessRevision
from releases.models import Release
from tests.edges.calls import Caller
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

ACTIVITY = {"name": "Sign", "type": "manual", "manual": {"instructions": "Look."}}
PROCESS = {
    "name": "Small",
    "inputs": {"version": {"type": "string", "required": True}},
    "phases": [
        {"id": "plan", "name": "Plan", "owners": ["group:qa"], "activities": [{"id": "sign", "activity": "sign"}]}
    ],
}


@pytest.fixture
def caller(author: User, groups: dict[str, Group]) -> Caller:
    return Caller(author)


def put(caller: Caller, address: str, document: dict[str, Any]) -> str:
    answer = caller.put(address, document)
    assert answer.status == 201, answer
    return str(answer.headers["ETag"])


def test_a_document_is_put_looked_at_and_put_again(caller: Caller) -> None:
    tag = put(caller, "activities/sign/", ACTIVITY)
    seen = caller.get("activities/sign/")
    assert seen.headers["ETag"] == tag
    assert seen["document"] == {"kind": "Activity", "id": "sign", **ACTIVITY}
    assert (seen["latest"], seen["published"]) == (None, False)
    changed = caller.put("activities/sign/", {**seen["document"], "name": "Sign off"}, If_Match=tag)
    assert (changed.status, changed["name"], changed["version"]) == (200, "Sign off", 2)
    assert changed.headers["ETag"] != tag


def test_an_edit_says_what_it_has_seen(caller: Caller) -> None:
    tag = put(caller, "processes/small/", {**PROCESS, "phases": []})
    blind = caller.put("processes/small/", PROCESS)
    assert (blind.status, blind.code) == (428, "precondition_required")
    assert caller.put("processes/small/", {**PROCESS, "name": "A", "phases": []}, If_Match=tag).status == 200
    stale = caller.put("processes/small/", {**PROCESS, "name": "B", "phases": []}, If_Match=tag)
    assert (stale.status, stale.code) == (412, "stale")
    assert caller.put("processes/small/", {**PROCESS, "name": "C", "phases": []}, If_Match="*").status == 200
    gone = caller.put("processes/other/", {**PROCESS, "phases": []}, If_Match='"1"')
    assert (gone.status, gone.code) == (412, "stale")


@pytest.mark.parametrize(
    ("address", "document", "other"),
    [
        ("connections/ci/", {"name": "CI", "provider": "local"}, {"name": "Build", "provider": "local"}),
        ("resources/cart/", {"name": "Cart", "type": "service"}, {"name": "Basket", "type": "service"}),
    ],
)
def test_a_document_without_versions_is_guarded_by_its_digest(
    caller: Caller, address: str, document: dict[str, str], other: dict[str, str]
) -> None:
    tag = put(caller, address, document)
    assert caller.put(address, other).status == 428
    assert caller.put(address, other, If_Match=tag).status == 200
    assert caller.put(address, document, If_Match=tag).status == 412
    assert caller.delete(address).status == 204
    assert caller.get(address).status == 404


def test_a_process_is_checked_published_compared_and_kept(caller: Caller) -> None:
    put(caller, "activities/sign/", ACTIVITY)
    tag = put(caller, "processes/small/", PROCESS)
    verdict = caller.post("processes/small/check/")
    assert [fault["path"] for fault in verdict["faults"]] == ["phases[0].activities[0].activity"]
    refused = caller.post("processes/small/publish/")
    assert (refused.status, refused.code) == (400, "invalid_input")
    assert caller.post("activities/sign/publish/", {"reason": "first"})["number"] == 1
    assert caller.post("processes/small/publish/")["is_new"] is True
    assert caller.post("processes/small/publish/")["is_new"] is False

    caller.put("processes/small/", {**PROCESS, "name": "Smaller"}, If_Match=tag)
    changes = caller.get("processes/small/diff/?a=1")["changes"]
    assert [(change["path"], change["before"], change["after"]) for change in changes] == [("name", "Small", "Smaller")]
    assert caller.post("processes/small/publish/")["revision"]["number"] == 2
    assert [one["number"] for one in caller.get("processes/small/revisions/")["results"]] == [2, 1]
    assert caller.get("processes/small/revisions/1/")["document"]["name"] == "Small"
    assert caller.get("activities/sign/used-by/")["used_by"] == ["Process 'small' (plan.sign; revisions 1, 2)"]
    assert caller.delete("activities/sign/").code == "in_use"
    assert ProcessRevision.objects.count() == 2


def test_a_document_that_is_wrong_says_everything_that_is(caller: Caller) -> None:
    answer = caller.put("processes/small/", {"phases": [{"id": "Plan!", "activities": [{"id": 1}]}], "colour": "red"})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert {"name", "colour", "phases[0].id"} <= answer.paths
    assert caller.put("processes/small/", {**PROCESS, "id": "large", "kind": "Activity"}).paths == {"id", "kind"}
    assert caller.put("processes/Small_Caps/", PROCESS).paths == {"id"}
    assert not Process.objects.exists()


def test_an_input_set_says_what_it_lacks(caller: Caller) -> None:
    put(caller, "activities/sign/", ACTIVITY)
    put(caller, "processes/small/", PROCESS)
    tag = put(caller, "input-sets/usual/", {"name": "Usual", "process": "small", "values": {}})
    assert caller.get("input-sets/usual/completeness/")["complete"] is False
    caller.post("activities/sign/publish/")
    caller.post("processes/small/publish/")
    lacking = caller.get("input-sets/usual/completeness/")
    assert [fault["path"] for fault in lacking["faults"]] == ["values.inputs.version"]
    filled = {"name": "Usual", "process": "small", "values": {"inputs": {"version": "1.0"}}}
    assert caller.put("input-sets/usual/", filled, If_Match=tag).status == 200
    assert caller.get("input-sets/usual/completeness/?revision=1").body == {"complete": True, "faults": []}
    assert caller.get("input-sets/usual/completeness/?revision=7").paths == {"revision"}


def test_a_dry_run_changes_nothing_and_an_export_gives_all_back(caller: Caller) -> None:
    text = "{kind: Resource, id: cart, name: Cart, type: service}"
    dry = caller.post("apply/?dry_run=true", text, Content_Type="application/yaml")
    assert dry["results"][0]["result"] == "created"
    assert caller.get("resources/")["results"] == []
    caller.post("apply/", {"kind": "Resource", "id": "cart", "name": "Cart", "type": "service"})
    export = caller.get("export/")
    assert export.headers["Content-Type"] == "application/yaml; charset=utf-8"
    assert caller.post("apply/", export.raw, Content_Type="application/yaml")["results"][0]["result"] == "unchanged"
    assert caller.get("export/?document=Resource/cart").raw == export.raw
    assert caller.get("export/?document=Resource/none").status == 404
    assert caller.post("apply/", "", Content_Type="application/yaml").status == 400
    broken = caller.post("apply/", "a: [", Content_Type="application/yaml")
    assert (broken.status, broken.code) == (400, "invalid_input")
    assert caller.post("apply/?publish=perhaps", text).paths == {"publish"}


def test_a_secret_is_set_and_never_shown(caller: Caller, author: User) -> None:
    assert caller.put("secrets/deploy/", {"value": " s3cret "}).status == 200
    assert secrets.reveal("deploy") == " s3cret "
    shown = [caller.get("secrets/"), caller.put("secrets/deploy/", {"value": "other-s3cret"})]
    assert shown[0]["results"][0]["has_value"] is True
    assert b"s3cret" not in b"".join(answer.raw for answer in shown)
    assert "s3cret" not in str(list(Event.objects.values()))
    assert caller.put("secrets/deploy/", {"value": ""}).paths == {"value"}
    assert caller.put("secrets/Not_A_Name/", {"value": "x"}).paths == {"name"}
    assert caller.get("secrets/deploy/").status == 405
    assert caller.delete("secrets/deploy/").status == 204


def test_a_plan_is_edited_by_those_who_have_seen_it(manager: User, engine: ScriptedRunner) -> None:
    process = Process.objects.create(slug="small", name="Small")
    caller = Caller(manager)
    made = caller.post("releases/", {"process": "small", "name": "R1"})
    tag, address = made.headers["ETag"], f"releases/{made['id']}/"
    assert caller.patch(address, {"name": "R2"}).status == 428
    edited = caller.patch(address, {"name": "R2", "version": "2"}, If_Match=tag)
    assert (edited.status, edited["name"], edited["version"]) == (200, "R2", "2")
    stale = caller.patch(address, {"name": "R3"}, If_Match=tag)
    assert (stale.status, stale.code) == (412, "stale")
    assert caller.patch(address, {"process": "other"}, If_Match="*").paths == {"process"}
    Release.objects.filter(process=process).update(state="cancelled")
    assert caller.patch(address, {"name": "R3"}, If_Match="*").status == 200


def test_a_permission_on_one_document_opens_just_that(owner: User, author: User) -> None:
    shown = Activity.objects.create(slug="shown", name="Shown", kind="manual", draft={})
    Activity.objects.create(slug="hidden", name="Hidden", kind="manual", draft={})
    assign_perm("view_activity", owner, shown)
    caller = Caller(owner)
    assert [one["id"] for one in caller.get("activities/")["results"]] == ["shown"]
    assert caller.get("activities/hidden/").status == 404
    refused = caller.put("activities/shown/", ACTIVITY, If_Match="*")
    assert (refused.status, refused.code) == (403, "not_permitted")
    assert caller.put("activities/hidden/", ACTIVITY, If_Match="*").status == 404
    assert caller.put("activities/fresh/", ACTIVITY).status == 403
