"""Which freezes keep a release or an activity from starting at a moment, exceptions taken off.

A window applies from its start until before its end; one that was lifted ends when it was. An exception that was
granted to the release, or to its group, takes off the time until it expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from processes.models import Resource
from releases.models import FreezeException, FreezeWindow, Release
from releases.scopes import Subject, in_scope, subject_of_release
from releases.states import ReleaseState

DRAIN, HOLD = "drain", "hold"


@dataclass(frozen=True, slots=True)
class Block:
    """A freeze that stands in the way: from when until before when (None: until it is lifted), in UTC.

    `in_flight`: under `drain` what was running before `starts_at` goes on, under `hold` nothing in scope opens.
    """

    freeze_id: int
    slug: str
    name: str
    starts_at: datetime
    ends_at: datetime | None
    in_flight: str


@dataclass(frozen=True, slots=True)
class Applies:
    """A window of a freeze, with its scope."""

    block: Block
    scope: Mapping[str, Any]


def open_windows(at: datetime) -> list[Applies]:
    """The windows that are open at a moment, the longest last. One query."""
    return _applies(FreezeWindow.objects.filter(_ends_after(at), starts_at__lte=at))


def windows_between(after: datetime, before: datetime) -> list[Applies]:
    """The windows that overlap a time, the longest last. One query."""
    return _applies(FreezeWindow.objects.filter(_ends_after(after), starts_at__lt=before))


def blocks(subject: Subject, *, at: datetime, release: Release | None) -> list[Block]:
    """The freezes that keep the subject from starting at a moment. At most two queries.

    Without a `release` only exceptions for the subject's group count. The one that ends last comes last.
    """
    found = blocks_of(open_windows(at), subject, at=at, release=release)
    return [block for block in found if block.starts_at <= at]


def blocks_between(subject: Subject, *, after: datetime, before: datetime, release: Release | None) -> list[Block]:
    """The freezes that keep the subject from starting at some time from `after` until before `before`.

    A window that an exception covers in part starts when the exception expires. At most two queries.
    """
    found = blocks_of(windows_between(after, before), subject, at=after, release=release)
    return [block for block in found if block.starts_at < before]


def blocks_of(windows: Iterable[Applies], subject: Subject, *, at: datetime, release: Release | None) -> list[Block]:
    """What is left of windows for the subject, read before by callers who ask about many. At most one query.

    An exception takes off the time from `at` until it expires.
    """
    found = [window.block for window in windows if in_scope(window.scope, subject)]
    if not found:
        return []
    expiries = _expiries({block.freeze_id for block in found}, subject, at, release)
    return [left for block in found if (left := _without(block, expiries.get(block.freeze_id))) is not None]


def subject_of(
    release: Release,
    root: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    kinds: Mapping[str, str],
    known: Mapping[str, Any],
) -> Subject:
    """What freezes see of a release as a whole. No query when its group is at hand.

    `root` is node 0 of its tree, `inputs` its resolved ones, `kinds` from `kinds_of_resources`, `known` what
    expressions know beside the inputs (`release`, `now`).
    """
    group = release.group.slug if release.group is not None else ""
    return subject_of_release(root, group=group, inputs=inputs, kinds=kinds, known=known)


def kinds_of_resources() -> dict[str, str]:
    """The type (service, environment) of every resource by its id, for `releases.scopes`. One query."""
    return dict(Resource.objects.values_list("slug", "type"))


def why_no_exception(release: Release) -> str:
    """Return why a release needs no exception as it stands: it is over, or called off; empty for all others."""
    is_off = release.state in (ReleaseState.CANCELLED, ReleaseState.MISSED)
    if release.finished_at is None and not is_off:
        return ""
    cure = "schedule it again first." if is_off else "it needs no exception."
    return f"The release is {release.state.replace('_', ' ')}; {cure}"


def _ends_after(moment: datetime) -> Q:
    return Q(ends_at=None) | Q(ends_at__gt=moment)


def _applies(rows: QuerySet[FreezeWindow]) -> list[Applies]:
    columns = ("freeze_id", "freeze__slug", "freeze__name", "freeze__body", "starts_at", "ends_at")
    found = [
        Applies(Block(pk, slug, name, starts_at, ends_at, body.get("in_flight", DRAIN)), body["scope"])
        for pk, slug, name, body, starts_at, ends_at in rows.values_list(*columns)
    ]
    return sorted(found, key=_end)


def _end(window: Applies) -> tuple[bool, datetime, int]:
    """Order windows by their end, those without one last; of the same end, those of older freezes first."""
    block = window.block
    return block.ends_at is None, block.ends_at or block.starts_at, block.freeze_id


def _expiries(freezes: set[int], subject: Subject, at: datetime, release: Release | None) -> dict[int, datetime]:
    """Until when exceptions reach, by freeze."""
    mine = Q(group__slug=subject.group) if subject.group else Q(pk__in=())
    if release is not None and release.pk is not None:
        mine |= Q(release=release.pk)
    granted = FreezeException.objects.filter(mine, freeze__in=freezes, state="granted", expires_at__gt=at)
    return dict(granted.order_by().values_list("freeze").annotate(Max("expires_at")))


def _without(block: Block, expires_at: datetime | None) -> Block | None:
    if expires_at is None or expires_at <= block.starts_at:
        return block
    if block.ends_at is not None and block.ends_at <= expires_at:
        return None
    return replace(block, starts_at=expires_at)
