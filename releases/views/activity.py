"""One activity beside its release: what it was given, what became of it, and what this person may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.errors import Fault, InvalidInput, PilothouseError
from config.pages import page
from config.permissions import visible_by_any
from config.trail import Actor
from processes.models import Process, ProcessRevision
from releases import forms, reading
from releases.execution.snapshots import tree_of
from releases.forms import Field
from releases.models import ActivityRun, Release
from releases.reading import ActivityDetail
from releases.reading.runs import runs_of
from releases.reading.situation import situation_of
from releases.views.frame import find_activity, find_release
from releases.views.release import board_of, show_board

IDLE = ("pending", "queued", "waiting", "on_hold")
SEEN_BY = ["processes.view_process", "processes.start_process", "processes.operate_process"]


@dataclass(slots=True)
class Trouble:
    """What went wrong with a posted form: the verb, the faults, and what was typed."""

    verb: str = ""
    faults: list[Fault] = field(default_factory=list)
    typed: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Ask:
    """One form of the panel: its typed fields, the faults that belong to none of them, and what else was typed."""

    verb: str
    fields: list[Field] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    typed: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False

    @property
    def by_path(self) -> dict[str, Fault]:
        """The faults by what they are about, for boxes that are no typed fields."""
        return {fault.path: fault for fault in self.faults}


@page
@require_safe
def show(request: HttpRequest, pk: int, run_pk: int) -> HttpResponse:
    """Show an activity beside its release."""
    release = find_release(request, pk)
    return answer(request, release, find_activity(release, run_pk))


def answer(
    request: HttpRequest, release: Release, run: ActivityRun, trouble: Trouble | None = None, *, status: int = 200
) -> HttpResponse:
    """Answer with the page of an activity, with what went wrong in its place."""
    runs = runs_of(release)
    situation = situation_of(release, now=timezone.now(), runs=runs) if run.state in IDLE else None
    known = situation.asked.get(run.pk) if situation else None
    detail = reading.activity_detail(run, request.user, known.standings if known else None)
    asked = asks_of(run, detail, trouble or Trouble())
    panel = {
        "run": detail,
        "blocked": reading.blocked_in(situation, run) if situation else None,
        "asks": asked,
        "trouble_here": trouble,
        "text_log": clean_log(detail.log.text),
        "progress": reading.progress_of(detail.attempts[-1].progress) if detail.attempts else None,
        "processes": seen_processes(request.user) if "replace" in detail.may else [],
        "here": reverse("releases:activity", args=[release.pk, run.pk]),
    }
    return show_board(request, board_of(request, release, runs, **panel), status=status)


def clean_log(text: str) -> str:
    """Return a log without the control characters that a browser cannot show."""
    return "".join(char for char in text if char >= " " or char in "\n\t")


def trouble_of(verb: str, error: PilothouseError, typed: Mapping[str, str]) -> Trouble:
    """Return an error as what the panel shows."""
    faults = list(error.faults) if isinstance(error, InvalidInput) else [Fault("", error.message)]
    return Trouble(verb, faults, typed)


def declarations_of(run: ActivityRun, verb: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the typed fields a verb asks for: a form's, a signal's payload, inputs to change, stand-in outputs."""
    if verb == "form":
        return run.work.get("form") or {}
    if verb == "signal":
        return run.work.get("payload") or {}
    if verb not in ("retry", "ignore") or run.release.snapshot_id is None:
        return {}
    doc = tree_of(run.release.snapshot_id).nodes[run.node].doc
    declared = doc["inputs"] if verb == "retry" else doc["outputs"]
    return {name: {**d, "required": False} for name, d in declared.items() if isinstance(d, Mapping)}


def seen_processes(actor: Actor) -> Sequence[Process]:
    """Return the processes that this person may run in place of an activity: published, and theirs to see."""
    published = Process.objects.filter(Exists(ProcessRevision.objects.filter(process=OuterRef("pk"))))
    return list(visible_by_any(actor, SEEN_BY, published).only("slug", "name"))


PREFIXES = {"form": "values.", "signal": "payload.", "retry": "inputs.", "ignore": "outputs."}


def asks_of(run: ActivityRun, detail: ActivityDetail, trouble: Trouble) -> dict[str, Ask]:
    """Return the forms of the panel by their verb, each with what went wrong in it."""
    verbs = [*detail.may, "task", "sign"]
    found = {}
    for verb in dict.fromkeys([*verbs, *([trouble.verb] if trouble.verb else [])]):
        is_here = trouble.verb == verb
        fields = _fields(run, verb, trouble.typed if is_here else None)
        faults = forms.place_faults(fields, trouble.faults) if is_here else []
        found[verb] = Ask(verb, fields, faults, trouble.typed if is_here else {}, is_here)
    return found


def _fields(run: ActivityRun, verb: str, typed: Mapping[str, str] | None) -> list[Field]:
    if verb not in PREFIXES:
        return []
    declared = declarations_of(run, verb)
    answered = {name: run.outputs.get(name, d.get("default")) for name, d in declared.items()} if verb == "form" else {}
    now = run.inputs if verb == "retry" else {}
    return forms.fields(declared, PREFIXES[verb], values=answered, now=now, data=typed)
