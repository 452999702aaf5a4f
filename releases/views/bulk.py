"""One verb for several things at once: each in a transaction of its own, each with an outcome of its own.

Sent twice, the second finds each done already and says so: no mark of the form is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from config.errors import Conflict, Fault, InvalidInput, NotFound, NotPermitted
from config.pages import page, person, whole
from releases import inbox, policy
from releases.models import ActivityRun, Release
from releases.services import answering, planning, running
from releases.views.saved import address_of

MOST = 100
#: How many outcomes are told by name.
MOST_TOLD = 8


@dataclass(slots=True)
class Outcomes:
    """What became of each thing: the names of those it was done to, and (name, why) of those it was not."""

    done: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def try_on(self, name: str, do: Callable[[], object]) -> None:
        """Do it to one thing and note what became of that."""
        try:
            do()
        except InvalidInput as error:
            self.refused.append((name, " ".join(f"{fault.message} {fault.cure}".strip() for fault in error.faults)))
        except (NotPermitted, Conflict) as error:
            self.refused.append((name, error.message))
        else:
            self.done.append(name)

    def tell(self, request: HttpRequest, done: str) -> None:
        """Leave what became of it for the next page; `done` says what was done."""
        if self.done:
            messages.success(request, f"{done} {_listed(self.done)}.")
        for name, why in self.refused[:MOST_TOLD]:
            messages.error(request, f"{name}: {why}")
        if len(self.refused) > MOST_TOLD:
            messages.error(request, f"{len(self.refused) - MOST_TOLD} more were refused.")
        if not (self.done or self.refused):
            messages.error(request, "Nothing was chosen, or it is no longer there.")


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {rest} more" if rest > 0 else "")


def chosen(texts: Iterable[str]) -> list[int]:
    """Return the ids that a form sent, at most MOST, in its order; what is no id is left out."""
    return [number for text in dict.fromkeys(texts) if (number := whole(text)) is not None][:MOST]


@page
@require_POST
def act_on_waiting(request: HttpRequest) -> HttpResponse:
    """Approve, or try again, the activities of `run` that this person sees, and go back to their home."""
    verb = request.POST.get("verb", "")
    if verb not in WAITING_VERBS:
        raise NotFound("There is no such action.")
    word, do = WAITING_VERBS[verb]
    ids, outcomes = chosen(request.POST.getlist("run")), Outcomes()
    found = _runs(request).in_bulk(ids)
    for run in (found[pk] for pk in ids if pk in found):
        outcomes.try_on(f"{run.name} of {run.release}", lambda run=run: do(request, run))  # type: ignore[misc]
    outcomes.tell(request, word)
    return redirect("releases:home")


def _runs(request: HttpRequest) -> QuerySet[ActivityRun]:
    visible = policy.visible_releases(request.user).order_by()
    with_ = ("phase", "release__process", "release__group")
    return ActivityRun.objects.filter(release__in=visible.values("pk")).select_related(*with_)


def _approve(request: HttpRequest, run: ActivityRun) -> None:
    if not inbox.asks_only_signatures(run):
        raise InvalidInput([Fault("", "It asks for more than a signature.", "Open it and answer there.")])
    answering.sign_off(person(request), run, decision="approved", now=timezone.now())


def _retry(request: HttpRequest, run: ActivityRun) -> None:
    running.retry_activity(person(request), run, now=timezone.now())


#: The word for what was done, and the deed.
WAITING_VERBS: dict[str, tuple[str, Callable[[HttpRequest, ActivityRun], None]]] = {
    "approve": ("Approved", _approve),
    "retry": ("Trying again:", _retry),
}


#: The verbs that fit a release in a state; what stops it for good is done on its own page.
FITTING = {"scheduled": "cancel", "draft": "schedule", "missed": "schedule", "cancelled": "schedule",
           "running": "pause", "paused": "resume"}  # fmt: skip


def fitting(release: Release) -> str:
    """Return the verb that may be done to a release together with others, if one fits its state."""
    verb = FITTING.get(release.state, "")
    return "" if verb == "schedule" and release.planned_start_at is None else verb


@page
@require_POST
def act_on_releases(request: HttpRequest) -> HttpResponse:
    """Cancel (with a reason), schedule, pause or resume the releases of `release`, and go back to the list."""
    verb, reason = request.POST.get("verb", ""), request.POST.get("reason", "").strip()
    if verb not in RELEASE_VERBS:
        raise NotFound("There is no such action.")
    back = redirect(address_of(request.POST.get("back", "")))
    if verb == "cancel" and not reason:
        messages.error(request, "Cancelling needs a reason. Nothing was cancelled.")
        return back
    word, do = RELEASE_VERBS[verb]
    ids, outcomes = chosen(request.POST.getlist("release")), Outcomes()
    found = policy.visible_releases(request.user).select_related("process", "group").in_bulk(ids)
    for release in (found[pk] for pk in ids if pk in found):
        outcomes.try_on(str(release), lambda release=release: do(request, release, reason))  # type: ignore[misc]
    outcomes.tell(request, word)
    return back


def _cancel(request: HttpRequest, release: Release, reason: str) -> None:
    planning.cancel_release(person(request), release, reason=reason, now=timezone.now())


def _schedule(request: HttpRequest, release: Release, _reason: str) -> None:
    planning.schedule_release(person(request), release, now=timezone.now())


def _pause(request: HttpRequest, release: Release, reason: str) -> None:
    running.pause_release(person(request), release, now=timezone.now(), reason=reason)


def _resume(request: HttpRequest, release: Release, _reason: str) -> None:
    running.resume_release(person(request), release, now=timezone.now())


RELEASE_VERBS: dict[str, tuple[str, Callable[[HttpRequest, Release, str], None]]] = {
    "cancel": ("Cancelled", _cancel),
    "schedule": ("Scheduled", _schedule),
    "pause": ("Paused", _pause),
    "resume": ("Resumed", _resume),
}
