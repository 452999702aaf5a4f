"""A release from the first document to its end, by nothing but the API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile

from releases.models import Release
from tests.builders import work
from tests.edges.calls import Answer, Caller, all_pages
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db

# prepare(scope: tasks, form) ──> build(compile ──> note: evidence) ──> approve(sign, hook: signal)
DOCUMENTS = """
kind: Connection
id: scripted
name: Scripted
provider: scripted
---
kind: Activity
id: build-service
name: Build a service
type: automated
inputs: {service: {type: string, required: true}}
outputs: {image: {type: string}}
automated: {connection: scripted, pipeline: build, parameters: {SERVICE: "${{ activity.inputs.service }}"}}
---
kind: Process
id: small
name: Small
inputs:
  version: {type: string, required: true}
roles: {release-manager: {group: release-managers}}
phases:
  - id: prepare
    name: Prepare
    owners: [group:development]
    activities:
      - id: scope
        manual:
          tasks: [{id: tickets, name: Link the tickets, groups: [development]}]
          form: {notes: {type: text, required: true}}
  - id: build
    name: Build
    owners: [group:development]
    depends_on: [prepare]
    activities:
      - {id: compile, activity: build-service, with: {service: "cart ${{ inputs.version }}"}}
      - {id: note, depends_on: [compile], manual: {evidence: {required: 1}}}
  - id: approve
    name: Approve
    owners: [group:qa]
    depends_on: [build]
    activities:
      - {id: sign, manual: {instructions: Look., approval: {rules: [{group: qa, count: 1}]}}}
      - {id: hook, depends_on: [sign], signal: {payload: {ok: {type: boolean}}, match: "${{ payload.ok }}"}}
---
kind: InputSet
id: usual
name: Usual
process: small
values: {inputs: {version: 1.0.0}}
"""


@pytest.fixture
def applied(author: User, groups: dict[str, Group], engine: ScriptedRunner) -> Caller:
    caller = Caller(author)
    answer = caller.post("apply/?publish=true", DOCUMENTS, Content_Type="application/yaml")
    assert answer.status == 200, answer
    assert [(one["kind"], one["result"], one["revision"]) for one in answer["results"]] == [
        ("Connection", "created", None),
        ("Activity", "created", 1),
        ("Process", "created", 1),
        ("InputSet", "created", None),
    ]
    return caller


def planned(manager: User, **more: object) -> tuple[Caller, int]:
    caller = Caller(manager)
    body = {"process": "small", "name": "R1", "version": "1.0.0", "input_set": "usual", **more}
    answer = caller.post("releases/", body)
    assert answer.status == 201, answer
    return caller, answer["id"]


def activities(caller: Caller, release: int) -> dict[str, tuple[int, str]]:
    phases = caller.get(f"releases/{release}/tree/")["phases"]
    return {run["path"]: (run["id"], run["state"]) for phase in phases for run in phase["activities"]}


def ok(answer: Answer) -> Answer:
    assert answer.status in (200, 201), answer
    return answer


def test_a_release_goes_from_plan_to_end(applied: Caller, manager: User, owner: User, engine: ScriptedRunner) -> None:
    caller, pk = planned(manager)
    preview = ok(caller.post(f"releases/{pk}/preview/"))
    assert preview["startable"] is True
    version = next(value for value in preview["values"] if value["name"] == "version")
    assert (version["value"], version["source"]) == ("1.0.0", "input set")

    started = ok(caller.post(f"releases/{pk}/start/", {"given": {"inputs": {"version": "1.0.1"}}}))
    assert (started["state"], started["health"]) == ("running", "waiting")
    assert started["inputs"][0]["value"] == "1.0.1"
    assert started["inputs"][0]["source"] == "start"
    assert set(started["may"]) >= {"pause", "abort"}

    own = Caller(owner)
    assert [one["asks"] for one in own.get("me/")["waiting"]] == [["task", "form"]]
    scope, _ = activities(caller, pk)["prepare/scope"]
    detail = ok(own.get(f"activity-runs/{scope}/"))
    assert detail["missing"] == ["task 'Link the tickets'", "the form"]
    assert {"form", "comment"} <= set(detail["may"])
    assert detail["tasks"][0]["may"] is True
    ok(own.post(f"activity-runs/{scope}/comments/", {"body": "Almost."}))
    ok(own.post(f"activity-runs/{scope}/tasks/tickets/done/"))
    ok(own.post(f"activity-runs/{scope}/tasks/tickets/open/"))
    ok(own.post(f"activity-runs/{scope}/tasks/tickets/done/"))
    answered = ok(own.post(f"activity-runs/{scope}/form/", {"values": {"notes": "New cart."}}))
    assert (answered["state"], answered["outputs"]["notes"]) == ("succeeded", "New cart.")

    work(Release.objects.get(pk=pk))
    compile_run, state = activities(caller, pk)["build/compile"]
    assert state == "succeeded"
    assert ok(caller.get(f"activity-runs/{compile_run}/"))["attempts"][0]["status"] == "succeeded"

    note, _ = activities(caller, pk)["build/note"]
    file = SimpleUploadedFile("../../report.html", b"<script>alert(1)</script>", content_type="text/html")
    kept = Answer(own.client.post(f"/api/v1/activity-runs/{note}/evidence/", {"file": file}))
    assert (kept.status, kept["state"], kept["evidence"][0]["name"]) == (201, "succeeded", "report.html")
    got = own.get(f"activity-runs/{note}/evidence/{kept['evidence'][0]['id']}/")
    assert got.raw == b"<script>alert(1)</script>"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]

    sign, _ = activities(caller, pk)["approve/sign"]
    asked = ok(own.get(f"activity-runs/{sign}/"))
    assert (asked["approval"][0]["need"], asked["approval"][0]["missing"]) == (1, 1)
    assert {"approve", "reject"} <= set(asked["may"])
    signed = ok(own.post(f"activity-runs/{sign}/sign-off/", {"decision": "approved"}))
    assert (signed["state"], signed["outputs"]) == ("succeeded", {"decision": "approved"})

    hook, _ = activities(caller, pk)["approve/hook"]
    assert ok(caller.post(f"activity-runs/{hook}/signal/", {"payload": {"ok": False}}))["matched"] is False
    assert ok(caller.post(f"activity-runs/{hook}/signal/", {"payload": {"ok": True}}))["matched"] is True

    done = ok(caller.get(f"releases/{pk}/"))
    assert (done["state"], done["health"], done["may"]) == ("succeeded", "", [])
    verbs = [event["verb"] for event in all_pages(caller, f"releases/{pk}/events/?page_size=7")]
    assert verbs[:2] == ["release.created", "release.started"]
    assert verbs[-1] == "release.succeeded"
    assert "sign_off.approved" in verbs


def test_what_is_on_hold_is_retried_ignored_failed_or_replaced(
    applied: Caller, manager: User, engine: ScriptedRunner
) -> None:
    engine.script["build"] = [failed(), failed()]
    caller, pk = planned(manager)
    ok(caller.post(f"releases/{pk}/start/"))
    scope, _ = activities(caller, pk)["prepare/scope"]
    ok(caller.post(f"activity-runs/{scope}/tasks/tickets/done/"))
    ok(caller.post(f"activity-runs/{scope}/form/", {"values": {"notes": "x"}}))
    work(Release.objects.get(pk=pk))

    assert caller.get(f"releases/{pk}/")["health"] == "on_hold"
    run, state = activities(caller, pk)["build/compile"]
    assert state == "on_hold"
    assert {"retry", "ignore", "fail", "replace"} <= set(caller.get(f"activity-runs/{run}/")["may"])
    again = ok(caller.post(f"activity-runs/{run}/retry/", {"inputs": {"service": "payments"}, "reason": "typo"}))
    assert (again["state"], again["inputs"][0]["value"]) == ("queued", "payments")
    work(Release.objects.get(pk=pk))
    refused = caller.post(f"activity-runs/{run}/ignore/", {"reason": " "})
    assert (refused.status, refused.code, refused.paths) == (400, "invalid_input", {"reason"})
    waved = ok(caller.post(f"activity-runs/{run}/ignore/", {"reason": "known", "outputs": {"image": "i"}}))
    assert (waved["state"], waved["outputs"], waved["reason"]) == ("ignored", {"image": "i"}, "known")
    late = caller.post(f"activity-runs/{run}/fail/", {"reason": "too late"})
    assert (late.status, late.code) == (409, "not_on_hold")

    phase = next(one["id"] for one in caller.get(f"releases/{pk}/tree/")["phases"] if one["slug"] == "build")
    assert caller.get(f"phase-runs/{phase}/")["may"] == ["restart"]
    assert ok(caller.post(f"phase-runs/{phase}/restart/", {"reason": "once more"}))["state"] == "running"


STAND_IN = """
kind: Process
id: by-hand
name: By hand
inputs:
  what: {type: string, required: true}
phases:
  - id: do
    name: Do
    owners: [group:qa]
    activities:
      - {id: build, manual: {form: {image: {type: string, required: true}}}}
outputs: {made: "${{ phases.do.activities.build.outputs.image }}"}
"""


def test_what_is_on_hold_is_replaced_by_another_process(applied: Caller, manager: User, engine: ScriptedRunner) -> None:
    ok(applied.post("apply/?publish=true", STAND_IN))
    engine.script["build"] = [failed()]
    caller, pk = planned(manager)
    ok(caller.post(f"releases/{pk}/start/"))
    scope, _ = activities(caller, pk)["prepare/scope"]
    ok(caller.post(f"activity-runs/{scope}/tasks/tickets/done/"))
    ok(caller.post(f"activity-runs/{scope}/form/", {"values": {"notes": "x"}}))
    work(Release.objects.get(pk=pk))

    run, _ = activities(caller, pk)["build/compile"]
    body = {"process": "by-hand", "with": {"what": "cart"}, "outputs": {"image": "made"}, "reason": "pipeline is down"}
    assert caller.post(f"activity-runs/{run}/replace/", {**body, "outputs": {"image": "x"}}).status == 400
    assert caller.post(f"activity-runs/{run}/replace/", {**body, "process": "none"}).paths == {"process"}
    replaced = ok(caller.post(f"activity-runs/{run}/replace/", body))
    assert (replaced["state"], replaced["kind"]) == ("running", "subprocess")

    phases = caller.get(f"releases/{pk}/tree/")["phases"]
    inner = phases[1]["activities"][0]["phases"][0]["activities"][0]
    assert inner["path"] == "build/compile/do/build"
    ok(caller.post(f"activity-runs/{inner['id']}/form/", {"values": {"image": "by-hand:1"}}))
    after = ok(caller.get(f"activity-runs/{run}/"))
    assert (after["state"], after["outputs"]) == ("succeeded", {"image": "by-hand:1"})


def test_a_release_is_scheduled_called_off_paused_resumed_and_aborted(applied: Caller, manager: User) -> None:
    caller, pk = planned(manager)
    assert caller.post(f"releases/{pk}/schedule/").paths == {"planned_start_at"}
    tag = caller.get(f"releases/{pk}/").headers["ETag"]
    ok(caller.patch(f"releases/{pk}/", {"planned_start_at": "2030-01-01T09:00:00Z"}, If_Match=tag))
    assert ok(caller.post(f"releases/{pk}/schedule/"))["state"] == "scheduled"
    assert ok(caller.post(f"releases/{pk}/cancel/", {"reason": "not now"}))["state"] == "cancelled"
    ok(caller.post(f"releases/{pk}/schedule/"))
    ok(caller.post(f"releases/{pk}/roles/", {"role": "release-manager", "user": "manager"}))
    roles = ok(caller.post(f"releases/{pk}/start/"))["roles"]
    assert roles == [{"role": "release-manager", "group": "release-managers", "user": "manager"}]
    assert ok(caller.post(f"releases/{pk}/pause/"))["state"] == "paused"
    assert ok(caller.post(f"releases/{pk}/resume/"))["state"] == "running"
    assert caller.post(f"releases/{pk}/abort/").paths == {"reason"}
    aborted = ok(caller.post(f"releases/{pk}/abort/", {"reason": "wrong branch"}))
    assert (aborted["state"], aborted["reason"]) == ("aborted", "wrong branch")
    assert caller.post(f"releases/{pk}/resume/").code == "wrong_state"


def test_a_start_that_lacks_something_says_all_of_it(applied: Caller, manager: User) -> None:
    caller, pk = planned(manager, input_set=None)
    answer = caller.post(f"releases/{pk}/start/", {"given": {"inputs": {"colour": "red"}}})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert {"inputs.version", "inputs.colour"} <= answer.paths
