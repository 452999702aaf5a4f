"""What is said about a release before it runs: its plan, and what it would start with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from config.errors import Fault, InvalidInput
from config.permissions import visible_by_any
from config.rest.bodies import Input
from config.rest.describe import Anything
from config.rest.documents import FaultOut
from processes.models import InputSet, Process, ProcessRevision
from releases.models import ReleaseGroup
from releases.services.starting import Preview

LARGEST_REVISION = 2**31 - 1


class PlanIn(Input):
    """The plan of a release; `given` has the shape of an input set's values."""

    name = serializers.CharField(max_length=200, required=False)
    version = serializers.CharField(max_length=100, required=False, allow_blank=True)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    given = serializers.DictField(required=False)
    input_set = serializers.CharField(max_length=64, required=False, allow_null=True)
    planned_start_at = serializers.DateTimeField(required=False, allow_null=True)
    planned_end_at = serializers.DateTimeField(required=False, allow_null=True)


class ReleaseIn(PlanIn):
    """A release to be made: of a process, or of a release group, whose process it then is."""

    name = serializers.CharField(max_length=200)
    process = serializers.CharField(max_length=64, required=False)
    group = serializers.CharField(max_length=64, required=False, allow_null=True)
    revision = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=LARGEST_REVISION)


class GivenIn(Input):
    """Values given at the start, in the shape of an input set's; they win over all others."""

    given = serializers.DictField(required=False, default=dict)


class StartIn(GivenIn):
    """The same, and the reason to start in spite of what stands in the way, if something does."""

    break_glass = serializers.CharField(required=False, allow_null=True, default=None, max_length=5000)


class RoleIn(Input):
    """Who fills a role of the process in this release."""

    role = serializers.CharField(max_length=64)
    user = serializers.CharField(max_length=150)


class ShownOut(serializers.Serializer[Any]):
    """One input of the process (empty path), a phase or an activity; `pending` ones are known once it is open."""

    path = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    type = serializers.CharField()
    required = serializers.BooleanField()
    value = Anything(allow_null=True)
    source = serializers.CharField()
    pending = serializers.BooleanField()


class PreviewOut(serializers.Serializer[Any]):
    """What a release would start with now, and everything that would stop it."""

    revision = serializers.IntegerField(allow_null=True)
    startable = serializers.BooleanField()
    values = ShownOut(many=True)
    faults = FaultOut(many=True)


def shown(preview: Preview) -> dict[str, Any]:
    """Return a preview as the answer says it."""
    return {
        "revision": preview.revision.number if preview.revision is not None else None,
        "startable": preview.revision is not None and not preview.resolved.faults,
        "values": preview.resolved.shown,
        "faults": preview.resolved.faults,
    }


def resolved_plan(request: Request, said: Mapping[str, Any], process: Process | None = None) -> dict[str, Any]:
    """Return a plan with rows in place of the ids it names. `process` is the release's, if there is one already.

    Raises InvalidInput with every id that names nothing the caller may see.
    """
    plan = dict(said)
    faults: list[Fault] = []
    if "group" in plan:
        plan["group"] = _named(faults, "group", plan["group"], _groups(request))
    if "process" in plan:
        plan["process"] = _named(faults, "process", plan["process"], _processes(request))
    known = process or plan.get("process") or (plan["group"].process if plan.get("group") else None)
    if process is None and known is None and not faults:
        faults.append(Fault("process", "A release needs a process.", "Name a process or a release group."))
    if process is None:
        plan["process"] = known
    if "input_set" in plan:
        sets = visible_by_any(request.user, ["processes.view_inputset", "processes.change_inputset"], _SETS)
        plan["input_set"] = _named(faults, "input_set", plan["input_set"], sets)
    if plan.get("revision") is not None and known is not None:
        number = plan["revision"]
        plan["revision"] = ProcessRevision.objects.filter(process=known, number=number).first()
        if plan["revision"] is None:
            faults.append(Fault("revision", f"There is no revision {number} of '{known.slug}'."))
    if faults:
        raise InvalidInput(faults)
    return plan


_SETS = InputSet.objects.select_related("process")


def _processes(request: Request) -> Any:
    held = [f"processes.{verb}_process" for verb in ("start", "view", "operate")]
    return visible_by_any(request.user, held, Process.objects.all())


def _groups(request: Request) -> Any:
    held = [f"releases.{verb}_releasegroup" for verb in ("view", "operate")]
    return visible_by_any(request.user, held, ReleaseGroup.objects.select_related("process", "input_set"))


def _named(faults: list[Fault], field: str, slug: str | None, rows: Any) -> Any:
    if slug is None:
        return None
    found = rows.filter(slug=slug).first()
    if found is None:
        faults.append(Fault(field, f"There is no '{slug}', or you may not see it."))
    return found
