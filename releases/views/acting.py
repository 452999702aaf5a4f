"""What people do to an activity on its page: one address per verb, each handing the form on to a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from config.errors import Conflict, Fault, InvalidInput, NotFound, NotPermitted
from config.pages import once, page, person
from releases import forms
from releases.models import ActivityRun
from releases.services import answering, running
from releases.views.activity import PREFIXES, answer, declarations_of, seen_processes, trouble_of
from releases.views.frame import find_activity, find_release


@page
def act(request: HttpRequest, pk: int, run_pk: int, verb: str) -> HttpResponse:
    """Do `verb` to an activity and go back to its page, or `back` to the home it was done from.

    What stands in the way is shown on its page, with what was typed.
    """
    if request.method != "POST":
        return redirect("releases:activity", pk, run_pk)
    if verb not in VERBS:
        raise NotFound("There is no such action.")
    release = find_release(request, pk)
    run = find_activity(release, run_pk)

    def do() -> str:
        VERBS[verb](request, run)
        if request.POST.get("back") == "home":
            messages.success(request, f"{_done(request, verb)}: {run.name} of {release}.")
            return reverse("releases:home")
        return reverse("releases:activity", args=[pk, run_pk])

    try:
        return redirect(once(request, do))
    except (InvalidInput, NotPermitted, Conflict) as error:
        release = find_release(request, pk)
        trouble = trouble_of(verb, error, request.POST.dict())
        return answer(request, release, find_activity(release, run_pk), trouble, status=error.status)


def _done(request: HttpRequest, verb: str) -> str:
    """Return what was done, as home tells it."""
    decision = request.POST.get("decision", "").capitalize()
    told = {"sign": decision, "retry": "Trying again", "ignore": "Ignored", "task": "Task done", "complete": "Done"}
    return told.get(verb, "Done")


def _typed(request: HttpRequest, run: ActivityRun, verb: str) -> dict[str, Any]:
    """Return the values of a verb's typed fields. Raises InvalidInput with every fault."""
    answers = forms.read(declarations_of(run, verb), request.POST, PREFIXES[verb])
    if answers.faults:
        raise InvalidInput(answers.faults)
    return answers.values


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()


def _task(request: HttpRequest, run: ActivityRun) -> None:
    done = request.POST.get("done") != "no"
    answering.set_task(person(request), run, request.POST.get("task", ""), done=done, now=timezone.now())


def _form(request: HttpRequest, run: ActivityRun) -> None:
    answering.submit_form(person(request), run, _typed(request, run, "form"), now=timezone.now())


def _sign(request: HttpRequest, run: ActivityRun) -> None:
    decision, comment = request.POST.get("decision", ""), request.POST.get("comment", "").strip()
    answering.sign_off(person(request), run, decision=decision, comment=comment, now=timezone.now())


def _complete(request: HttpRequest, run: ActivityRun) -> None:
    answering.complete_activity(person(request), run, now=timezone.now())


def _signal(request: HttpRequest, run: ActivityRun) -> None:
    if not answering.send_signal(person(request), run, _typed(request, run, "signal"), now=timezone.now()):
        fault = Fault("", "The signal does not match what this activity waits for, so it was put aside.")
        raise InvalidInput([fault])


def _retry(request: HttpRequest, run: ActivityRun) -> None:
    inputs = _typed(request, run, "retry")
    running.retry_activity(person(request), run, now=timezone.now(), inputs=inputs, reason=_reason(request))


def _ignore(request: HttpRequest, run: ActivityRun) -> None:
    outputs = _typed(request, run, "ignore")
    running.ignore_activity(person(request), run, now=timezone.now(), reason=_reason(request), outputs=outputs)


def _fail(request: HttpRequest, run: ActivityRun) -> None:
    running.fail_activity(person(request), run, now=timezone.now(), reason=_reason(request))


def _replace(request: HttpRequest, run: ActivityRun) -> None:
    faults: list[Fault] = []
    chosen = request.POST.get("process", "")
    process = next((p for p in seen_processes(request.user) if p.slug == chosen), None)
    if process is None:
        faults.append(Fault("process", "Choose the process to run instead."))
    with_, outputs = _mapping(request, "with", faults), _mapping(request, "outputs", faults)
    if process is None or faults:
        raise InvalidInput(faults)
    named = {str(name): str(of) for name, of in outputs.items()}
    running.replace_activity(
        person(request), run, process=process, now=timezone.now(), with_=with_, outputs=named, reason=_reason(request)
    )


def _mapping(request: HttpRequest, name: str, faults: list[Fault]) -> dict[str, Any]:
    """Return what was written as `name: value` lines (YAML)."""
    try:
        found = yaml.safe_load(request.POST.get(name, "")) or {}
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        faults.append(Fault(name, "This cannot be read.", "Write one 'name: value' on each line."))
        return {}
    return {str(key): value for key, value in found.items()}


def _comment(request: HttpRequest, run: ActivityRun) -> None:
    answering.add_comment(person(request), run, request.POST.get("body", ""), now=timezone.now())


def _evidence(request: HttpRequest, run: ActivityRun) -> None:
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput([Fault("file", "Choose a file first.")])
    if (file.size or 0) > answering.MOST_EVIDENCE:
        raise InvalidInput([Fault("file", f"The file is larger than {answering.MOST_EVIDENCE // 1024 // 1024} MB.")])
    answering.add_evidence(person(request), run, name=file.name or "", content=file.read(), now=timezone.now())


VERBS: dict[str, Callable[[HttpRequest, ActivityRun], None]] = {
    "task": _task,
    "form": _form,
    "sign": _sign,
    "complete": _complete,
    "signal": _signal,
    "retry": _retry,
    "replace": _replace,
    "ignore": _ignore,
    "fail": _fail,
    "comment": _comment,
    "evidence": _evidence,
}
