"""Freezes as pages show them: which apply, come and are over; one with its windows, exceptions and what it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet

from config.errors import InvalidInput
from config.permissions import allowed, visible, visible_by_any
from config.trail import Actor
from processes.models import Process
from releases import policy
from releases.cadence import cadence_in_words
from releases.models import Freeze, FreezeException, FreezeWindow, Release, ReleaseGroup
from releases.reading.freezes import ScopeView, exception_may, scope_in_words, visible_exceptions, visible_freezes

#: How far ahead the page of a freeze looks for releases that it stops.
AHEAD = timedelta(days=28)
MOST = 20
MOST_EXCEPTIONS = 50
MOST_CHOICES = 200
NOW, COMING, PAST = "now", "coming", "past"


@dataclass(slots=True)
class FreezeRow:
    """A freeze in the list, with the window the list is about (open, next or last) and its exceptions by state."""

    freeze: Freeze
    scope: str
    window: FreezeWindow | None
    exceptions: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it also holds releases that run."""
        return bool(self.freeze.body.get("in_flight") == "hold")


@dataclass(slots=True)
class ExceptionRow:
    """An exception with its state as it is now (a granted one expires), and what the reader may do with it."""

    exception: FreezeException
    state: str
    may: list[str]

    @property
    def acts(self) -> list[tuple[str, str]]:
        """What may be done, each with the key of its form."""
        return [(verb, f"{verb}-{self.exception.pk}") for verb in self.may]


@dataclass(slots=True)
class FreezeDetail:
    """The page of a freeze. `current` is the window open now; `stopped` the releases planned in it, as last looked."""

    scope: str
    words: str
    zone: str
    current: FreezeWindow | None = None
    upcoming: list[FreezeWindow] = field(default_factory=list)
    over: list[FreezeWindow] = field(default_factory=list)
    exceptions: list[ExceptionRow] = field(default_factory=list)
    stopped: list[Release] = field(default_factory=list)
    held: list[Release] = field(default_factory=list)


def freezes_when(actor: Actor, when: str, *, now: datetime) -> QuerySet[Freeze]:
    """The freezes that apply now (those without an end first), come (the next first) or are over (the last first)."""
    is_open = Q(windows__starts_at__lte=now) & (Q(windows__ends_at=None) | Q(windows__ends_at__gt=now))
    comes = Q(windows__starts_at__gt=now)
    freezes = visible_freezes(actor).annotate(
        opened=Count("windows", filter=is_open),
        next_at=Min("windows__starts_at", filter=comes),
        last_at=Max("windows__ends_at"),
    )
    if when == NOW:
        return freezes.filter(opened__gt=0).order_by("-last_at", "pk")
    if when == COMING:
        return freezes.filter(opened=0, next_at__isnull=False).order_by("next_at", "pk")
    return freezes.filter(opened=0, next_at=None).order_by(F("last_at").desc(nulls_last=True), "pk")


def freeze_rows(actor: Actor, freezes: Sequence[Freeze], when: str, *, now: datetime) -> list[FreezeRow]:
    """These freezes as rows of a list; the same few queries for any number."""
    windows = FreezeWindow.objects.filter(freeze__in=freezes)
    if when == PAST:
        windows = windows.order_by("freeze_id", "-ends_at")
    else:
        windows = windows.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("freeze_id", "starts_at")
    by_freeze = {window.freeze_id: window for window in windows.distinct("freeze_id")}
    view = ScopeView(actor, [freeze.body.get("scope") or {} for freeze in freezes])
    counts = _exceptions_of(actor, freezes, now)
    return [
        FreezeRow(
            freeze,
            scope_in_words(view, freeze.body.get("scope") or {}),
            by_freeze.get(freeze.pk),
            counts.get(freeze.pk, {}),
        )
        for freeze in freezes
    ]


def freeze_detail(actor: Actor, freeze: Freeze, *, now: datetime, windows: int) -> FreezeDetail:
    """A freeze with its next windows, its exceptions and what it stops, as far as `actor` may see these."""
    scope, window = freeze.body.get("scope") or {}, freeze.body.get("window") or {}
    detail = FreezeDetail(
        scope_in_words(ScopeView(actor, [scope]), scope), _in_words(window), str(window.get("timezone") or "UTC")
    )
    lasting = freeze.windows.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("starts_at")
    found = list(lasting[: windows + 1])
    detail.current = next((one for one in found if one.starts_at <= now), None)
    detail.upcoming = [one for one in found if one.starts_at > now][:windows]
    detail.over = list(freeze.windows.filter(ends_at__lte=now).order_by("-ends_at")[:5])
    asked = visible_exceptions(actor).filter(freeze=freeze).order_by("-pk")[:MOST_EXCEPTIONS]
    detail.exceptions = [ExceptionRow(one, exception_state(one, now), exception_may(actor, one)) for one in asked]
    detail.stopped = _found(actor, freeze, "frozen", now)
    detail.held = _found(actor, freeze, "activity_frozen", now)
    return detail


def exception_state(exception: FreezeException, now: datetime) -> str:
    """The state of an exception as people see it: one that is still asked for, or granted, expires."""
    lasting = (FreezeException.State.PENDING, FreezeException.State.GRANTED)
    return "expired" if exception.state in lasting and exception.expires_at <= now else str(exception.state)


def askable_groups(actor: Actor) -> QuerySet[ReleaseGroup]:
    """The groups for which `actor` may ask for an exception: those they operate, or whose process they start."""
    groups = ReleaseGroup.objects.select_related("process").order_by("name", "slug")
    if allowed(actor, "releases.add_release") or allowed(actor, "processes.start_process"):
        return groups
    own = visible_by_any(actor, ["releases.operate_releasegroup"], ReleaseGroup.objects.all())
    processes = visible(actor, "processes.start_process", Process.objects.all())
    return groups.filter(Q(pk__in=own.values("pk")) | Q(process__in=processes.values("pk")))


def _exceptions_of(actor: Actor, freezes: Sequence[Freeze], now: datetime) -> dict[int, dict[str, int]]:
    rows = visible_exceptions(actor).filter(freeze__in=freezes).order_by()
    found: dict[int, dict[str, int]] = {}
    states = rows.values_list("freeze", "state").annotate(all=Count("pk"), late=Count("pk", Q(expires_at__lte=now)))
    for freeze, state, count, late in states:
        if state not in ("pending", "granted"):
            continue
        for name, number in ((state, count - late), ("expired", late)):
            if number:
                of_freeze = found.setdefault(freeze, {})
                of_freeze[name] = of_freeze.get(name, 0) + number
    return found


def _found(actor: Actor, freeze: Freeze, code: str, now: datetime) -> list[Release]:
    """The releases of the next weeks about which the last look found this of the freeze."""
    planned = policy.visible_releases(actor).filter(state="scheduled", planned_start_at__range=(now, now + AHEAD))
    stopped: Any = [{"code": code, "path": freeze.slug}]
    found = planned.filter(findings__contains=stopped).select_related("group", "process")
    return list(found.order_by("planned_start_at", "pk")[: MOST + 1])


def _in_words(window: dict[str, Any]) -> str:
    """When a recurring freeze applies; nothing for one with a single window, which says so itself."""
    if "rrule" not in window:
        return ""
    try:
        return cadence_in_words(window)
    except InvalidInput:
        return ""
