"""When a release starts: started in spite of what stops it, moved with what that does, excepted from a freeze."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from config.admin.asking import AskingAdmin, ReasonForm
from config.admin.forms import faults_of, show
from config.admin.guarded import GuardedAdmin
from config.errors import Fault, NotPermitted, PilothouseError
from config.permissions import allowed
from config.trail import Actor
from releases import policy
from releases.admin.release_forms import GROUP, RELEASE, AskForm, MoveForm, expiry_of
from releases.findings import Finding
from releases.models import Freeze, Release
from releases.services import exempting, gates, starting
from releases.services.foreseeing import foresee_move
from releases.services.moving import THIS, move_release
from releases.services.preflight import preflight
from releases.services.trains import Change, seen_of

FREEZES = ("frozen", "activity_frozen")
_UNSTARTED = ("draft", "scheduled", "missed", "cancelled")


def time_verbs(actor: Actor, release: Release) -> list[str]:
    """What `actor` may do about a release's time, by what is stored of it: move, ask_exception."""
    if release.state not in _UNSTARTED:
        return []
    plans = policy.may_plan(actor, release)
    found = ["move"] if plans and release.planned_start_at is not None else []
    asks = release.state in ("draft", "scheduled") and (
        plans or policy.may_start(actor, release.process, release.group)
    )
    is_frozen = any(finding.get("code") in FREEZES for finding in release.findings or [])
    return [*found, "ask_exception"] if asks and is_frozen else found


class ReleaseTime(AskingAdmin, GuardedAdmin):
    """The actions of releases that are about their time."""

    # Starting ---------------------------------------------------------------------------------------------------------

    @action(description="Start", url_path="start", icon="play_arrow", variant=ActionVariant.PRIMARY)
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Starts it, or says what stops it; by breaking the glass, for those who may."""
        release, now = self.found(request, object_id), timezone.now()
        form = ReasonForm(request.POST if "break" in request.POST else None, must=True)
        told: tuple[Fault, ...] = ()
        if request.method == "POST" and (form.is_valid() or not form.is_bound):
            reason = form.cleaned_data["reason"] if form.is_bound else None
            try:
                starting.start_release(request.user, release, now=now, break_glass=reason)
            except NotPermitted as error:
                raise PermissionDenied(error.message) from error
            except gates.Stopped:
                told = ()
            except PilothouseError as error:
                told = faults_of(error)
            else:
                return self._done(request, release, f"Done: start {release}.")
        if form.is_bound:
            show(form, told, {})
            told = ()
        return self._ask_start(request, release, form, told, now)

    def _ask_start(
        self, request: HttpRequest, release: Release, form: ReasonForm, told: tuple[Fault, ...], now: datetime
    ) -> HttpResponse:
        may = "start" in self.verbs(request, release)
        faults, stops = what_stops(release, now=now) if may else ((), [])
        context = {
            "form": form,
            "faults": told or faults,
            "stops": stops,
            "is_possible": may and not faults and not stops,
            "may_break": may and not faults and stops and policy.may_break_glass(request.user, release),
            "may_ask": any(finding.code == "frozen" for finding in stops),
            "ask_url": self.url_of("ask_exception", release.pk),
        }
        status = 400 if request.method == "POST" else 200
        return self.page(request, "admin/pilothouse/start.html", release, "Start", context, status=status)

    # Moving -----------------------------------------------------------------------------------------------------------

    @action(description="Move", url_path="move", icon="schedule")
    def move(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Moves it, and others of its group with it, once what that does has been shown."""
        release, now = self.found(request, object_id), timezone.now()
        if not policy.may_plan(request.user, release):
            raise PermissionDenied
        initial = {"planned_start_at": release.planned_start_at, "planned_end_at": None, "scope": THIS}
        typed = request.POST if request.method == "POST" else None
        form = MoveForm(typed, initial=initial, is_series=may_move_series(request.user, release))
        context: dict[str, Any] = {"form": form, "seen": request.POST.get("seen", release.edits)}
        if typed is not None and form.is_valid():
            try:
                if "_move" in typed and self._move(request, release, form, now):
                    return self._done(request, release, f"Moved: {release}.")
                context |= self._consequences(request, release, form, now)
            except NotPermitted as error:
                raise PermissionDenied(error.message) from error
            except PilothouseError as error:
                show(form, faults_of(error), {"cadence": "scope", "starts_at": "planned_start_at"})
        return self._form_page(request, "move.html", release, "Move", context)

    def _move(self, request: HttpRequest, release: Release, form: MoveForm, now: datetime) -> bool:
        """Moves if what is typed is what was shown."""
        if request.POST.get("shown") != _key(form):
            return False
        seen = request.POST.get("seen", "")
        expected = int(seen) if seen.isdecimal() and len(seen) < 10 else -1
        move_release(request.user, release, **_typed(form), now=now, expected=expected)
        return True

    def _consequences(self, request: HttpRequest, release: Release, form: MoveForm, now: datetime) -> dict[str, Any]:
        was = (release.planned_start_at, release.planned_end_at)
        foreseen = foresee_move(request.user, release, **_typed(form), now=now)
        own = Change("changed", release.pk, str(release), was[0], foreseen.starts_at)
        others, more = seen_of(change for change in foreseen.changes if change.release_id != release.pk)
        changes = others if was == (foreseen.starts_at, foreseen.ends_at) else [own, *others]
        return {"changes": changes, "more": more, "findings": foreseen.findings, "shown": _key(form)}

    # Exceptions -------------------------------------------------------------------------------------------------------

    @action(description="Ask for an exception", url_path="ask-exception", icon="ac_unit")
    def ask_exception(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks that it may start in spite of a freeze that stands in its way."""
        release, now = self.found(request, object_id), timezone.now()
        _require_ask(request.user, release)
        findings = freezes_in_the_way(release, now=now)
        group = release.group if release.group and _may_ask_for_group(request.user, release) else None
        typed = request.POST if request.method == "POST" else None
        first = findings[0].path if findings else ""
        expiry = expiry_of(findings, release.planned_end_at, now=now)
        form = AskForm(typed, initial={"freeze": first, "target": RELEASE, "expires_at": expiry})
        form.offer(findings, group=str(group) if group is not None else "")
        if typed is not None and form.is_valid():
            given = form.cleaned_data
            target: dict[str, Any] = {"group": group} if given["target"] == GROUP else {"release": release}
            try:
                exempting.ask_exception(
                    request.user,
                    Freeze.objects.get(slug=given["freeze"]),
                    reason=given["reason"],
                    expires_at=given["expires_at"],
                    now=now,
                    **target,
                )
            except NotPermitted as error:
                raise PermissionDenied(error.message) from error
            except PilothouseError as error:
                show(form, faults_of(error), {})
            else:
                return self._done(request, release, "The exception has been asked for.")
        context = {"form": form, "findings": findings}
        return self._form_page(request, "ask_exception.html", release, "Ask for an exception", context)

    # Pages ------------------------------------------------------------------------------------------------------------

    def _form_page(
        self, request: HttpRequest, template: str, release: Release, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        form = context["form"]
        status = 400 if form.is_bound and form.errors else 200
        context = {**context, "media": self.media + form.media}
        return self.page(request, f"admin/pilothouse/{template}", release, title, context, status=status)

    def _done(self, request: HttpRequest, release: Release, words: str) -> HttpResponse:
        self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(self.url_of("change", release.pk))


def what_stops(release: Release, *, now: datetime) -> tuple[tuple[Fault, ...], Sequence[Finding]]:
    """What would stop a start now: faults of its inputs first; without any, what stands in its way."""
    preview = starting.preview_start(release, {}, now=now)
    if preview.resolved.faults:
        return tuple(preview.resolved.faults), []
    return (), [finding for finding in starting.what_stands(release, preview, now=now) if finding.stops]


def freezes_in_the_way(release: Release, *, now: datetime) -> list[Finding]:
    """The freezes that stop a start now, or would stop or hold the release as it is planned; each once."""
    _, stops = what_stops(release, now=now)
    found: Iterable[Finding] = [*stops, *preflight(release, now=now)]
    return list({one.path: one for one in found if one.code in FREEZES}.values())


def may_move_series(actor: Actor, release: Release) -> bool:
    """Whether `actor` may move others of its group with a release."""
    group = release.group
    if group is None or release.occurs_at is None or not group.body.get("cadence"):
        return False
    return allowed(actor, "releases.change_releasegroup", group)


def _require_ask(actor: Actor, release: Release) -> None:
    if not policy.may_plan(actor, release) and not policy.may_start(actor, release.process, release.group):
        raise PermissionDenied


def _may_ask_for_group(actor: Actor, release: Release) -> bool:
    return allowed(actor, "releases.operate_releasegroup", release.group) or policy.may_start(
        actor, release.process, release.group
    )


def _typed(form: MoveForm) -> dict[str, Any]:
    given = form.cleaned_data
    return {"starts_at": given["planned_start_at"], "ends_at": given["planned_end_at"], "scope": given["scope"]}


def _key(form: MoveForm) -> str:
    """What was typed, as one text."""
    return " ".join(str(value) for value in _typed(form).values())
