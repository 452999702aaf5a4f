"""The steps of creating a release ad hoc: what was typed, read; each step shown; the release made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from config.errors import Conflict, Fault, InvalidInput, PilothouseError
from config.pages import person
from processes.models import InputSet, Process
from releases import forms
from releases.models import Release
from releases.services import gates, planning, starting
from releases.trees import expansion_of
from releases.views.starting import in_the_way, levels_of, read_levels

WHAT = ("name", "version", "description", "input_set", "planned_start_at", "planned_end_at")
_NOT_TYPED = {"csrfmiddlewaretoken", "once", "to", "do"}
#: How many of a role's group are offered.
CANDIDATES = 50


@dataclass(slots=True)
class Role:
    """A role of the process: who may fill it, and what was typed."""

    name: str
    group: str
    typed: str = ""
    user: User | None = None
    candidates: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The name of its box."""
        return f"role.{self.name}"


@dataclass(slots=True)
class Plan:
    """A release that is to be made, as far as it could be read, and what could not."""

    process: Process
    typed: Mapping[str, str]
    columns: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    roles: list[Role] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def is_what(path: str) -> bool:
    """Whether a fault belongs to the second step."""
    return path in WHAT or path.startswith("role.")


def faults_of(error: PilothouseError) -> list[Fault]:
    """Return what an error says, fault by fault."""
    if isinstance(error, gates.Stopped):
        return [Fault("", "It did not start, and was not created.", "What stands in its way is below.")]
    return list(error.faults) if isinstance(error, InvalidInput) else [Fault("", error.message)]


def read(process: Process, typed: Mapping[str, str]) -> Plan:
    """Return the plan that was typed, with a fault for all that cannot be read."""
    plan = Plan(process, typed)
    text = {name: typed.get(name, "").replace("\r\n", "\n") for name in WHAT}
    if not text["name"].strip():
        plan.faults.append(Fault("name", "A release needs a name."))
    plan.columns = {name: text[name] for name in ("name", "version", "description")}
    plan.columns["input_set"] = _input_set(plan, text["input_set"])
    for name in ("planned_start_at", "planned_end_at"):
        plan.columns[name] = _moment(plan, name, text[name])
    expansion = expansion_of(Release(process=process))
    tree: Mapping[str, Any] = expansion.tree if expansion is not None else {"nodes": []}
    plan.given, unread = read_levels(tree, typed)
    plan.faults += unread
    plan.roles = _roles(plan, tree.get("roles") or {})
    return plan


def _input_set(plan: Plan, slug: str) -> InputSet | None:
    if not slug:
        return None
    found = InputSet.objects.filter(process=plan.process, slug=slug.replace("\0", "")).first()
    if found is None:
        plan.faults.append(Fault("input_set", "There is no such input set for this process."))
    return found


def _moment(plan: Plan, name: str, text: str) -> datetime | None:
    try:
        return forms.moment_of(text) if text.strip() else None
    except (ValueError, OverflowError):
        fault = Fault(name, f"'{text[:40]}' is not a date and time.", "Write it like 2026-03-02T09:00.")
        plan.faults.append(fault)
        return None


def _roles(plan: Plan, declared: Mapping[str, Any]) -> list[Role]:
    """Return the roles of the process with who was named for each."""
    roles = [
        Role(name, str((terms or {}).get("group") or ""), plan.typed.get(f"role.{name}", "").strip())
        for name, terms in declared.items()
    ]
    named = {role.typed.replace("\0", "") for role in roles if role.typed}
    users = {user.username: user for user in User.objects.filter(username__in=named, is_active=True)} if named else {}
    for role in roles:
        role.user = users.get(role.typed)
        if role.typed and role.user is None:
            plan.faults.append(Fault(role.key, f"There is nobody called '{role.typed[:150]}'."))
    return roles


def kept_of(typed: Mapping[str, str], shown: Iterable[str]) -> list[tuple[str, str]]:
    """Return what was typed and is not shown, for the form to carry along."""
    left_out = {*_NOT_TYPED, *shown}
    return [(name, str(text)) for name, text in typed.items() if text and name not in left_out]


def show_what(request: HttpRequest, plan: Plan, faults: Sequence[Fault] = (), *, status: int = 200) -> HttpResponse:
    """Answer with the second step; faults of the third are told above it."""
    offer(plan.roles)
    context = {
        "plan": plan,
        "process": plan.process,
        "revision": plan.process.revisions.first(),
        "input_sets": plan.process.input_sets.all(),
        "typed": plan.typed,
        "wrong": {fault.path: fault for fault in faults},
        "role_boxes": [(role, next((one for one in faults if one.path == role.key), None)) for role in plan.roles],
        "faults": [fault for fault in faults if not is_what(fault.path)],
        "kept": kept_of(plan.typed, [*WHAT, *(role.key for role in plan.roles)]),
    }
    return render(request, "releases/create.html", context, status=status)


def offer(roles: Sequence[Role]) -> None:
    """Put the first of each role's group beside it. One query."""
    groups = {role.group for role in roles if role.group}
    if not groups:
        return
    members = User.objects.filter(groups__name__in=groups, is_active=True).order_by("username")
    found = list(members.values_list("groups__name", "username")[: CANDIDATES * len(groups)])
    for role in roles:
        role.candidates = [name for group, name in found if group == role.group][:CANDIDATES]


def show_values(request: HttpRequest, plan: Plan, faults: Sequence[Fault] = (), *, status: int = 200) -> HttpResponse:
    """Answer with the third step: every value the release would start with, and what would stop it."""
    with rehearsed(request, plan) as release:
        preview = starting.preview_start(release, {}, now=timezone.now())
        levels = levels_of(preview, plan.typed)
        boxes = [box for level in levels for box in level.fields]
        known = {fault.path for fault in faults}
        missing = [fault for fault in preview.resolved.faults if not fault.path or fault.path not in known]
        homeless = forms.place_faults(boxes, [*faults, *missing])
        start_at = plan.columns["planned_start_at"]
        context = {
            **in_the_way(request, release, preview),
            "plan": plan,
            "release": release,
            "process": plan.process,
            "revision": preview.revision,
            "levels": levels,
            "has_inner": any(level.path for level in levels),
            "told": [fault for fault in homeless if fault in faults],
            "faults": [fault for fault in homeless if fault not in faults],
            "fault_count": len(faults) + len(missing),
            "is_checked": bool(faults),
            "is_later": start_at is not None and start_at > timezone.now(),
            "kept": kept_of(plan.typed, [box.key for box in boxes]),
        }
        return render(
            request, "releases/create_values.html", context, status=400 if faults and status == 200 else status
        )


@contextmanager
def rehearsed(request: HttpRequest, plan: Plan) -> Iterator[Release]:
    """Make the release as it would be for the length of the block, then take all of it back."""
    with transaction.atomic():
        yield _make(request, plan, timezone.now())
        transaction.set_rollback(True)


def carry_out(request: HttpRequest, plan: Plan, verb: str) -> str:
    """Make the release, `start` or `schedule` it if the verb says so, and return the address to go on to.

    Raises whatever is in the way; then nothing is made.
    """
    now = timezone.now()
    with transaction.atomic():
        release = _make(request, plan, now)
        if verb == "start":
            starting.start_release(person(request), release, now=now)
        elif verb == "schedule":
            planning.schedule_release(person(request), release, now=now)
        elif verb not in ("", "create"):
            raise Conflict("There is no such action.")
    return reverse("releases:show", args=[release.pk])


def _make(request: HttpRequest, plan: Plan, now: datetime) -> Release:
    release = planning.create_release(person(request), process=plan.process, given=plan.given, now=now, **plan.columns)
    faults: list[Fault] = []
    for role in plan.roles:
        if role.user is None:
            continue
        try:
            planning.fill_role(person(request), release, role=role.name, user=role.user, now=now)
        except InvalidInput as error:
            faults += [Fault(role.key, fault.message, fault.cure) for fault in error.faults]
    if faults:
        raise InvalidInput(faults)
    return release
