"""What waits for one person: sign-offs, tasks and forms to answer, failures on hold in phases they own.

1. The person's names are collected: their own, their groups', and the roles they fill in releases under way.
2. One query finds the waiting and held activities that speak of any of these names (owners, open tasks, approvals).
3. For each, what exactly is asked of this person is worked out from the rows; what asks nothing more is left out.
4. What is due first comes first, so that what is overdue leads; what is due at no time follows, the oldest first.

Somebody kept out by `different_from` or `same_as` still sees the sign-off here; the activity's page offers them none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Exists,
    F,
    Func,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.functions import Least

from activities.fields import searchable
from releases import assignees, policy
from releases.execution import people
from releases.models import ActivityRun, Release, ReleaseRole, SignOff, TaskRun
from releases.reading import columns
from releases.reading.due import is_overdue

UNDER_WAY = ("running", "paused")
ASKING = ("waiting", "on_hold")
MOST = 100
Names = set[tuple[str, str]]
_WAITING = Q(state="on_hold") | Q(state="waiting", kind="manual")
_OPEN_TASKS = Prefetch("tasks", TaskRun.objects.filter(done_at=None), to_attr="open_tasks")


@dataclass(slots=True)
class Waiting:
    """An activity that waits for a person; `asks` says for what: decision, sign-off, task, form, evidence, done.

    `due_at` is the earliest moment at which it, its phase or one of this person's tasks in it is due; `tasks` are the
    open tasks that this person may do.
    """

    run: ActivityRun
    asks: list[str]
    since: datetime | None
    due_at: datetime | None = None
    overdue: bool = False
    tasks: list[TaskRun] = field(default_factory=list)

    @property
    def is_plain_sign_off(self) -> bool:
        """Whether a signature is all that is asked, and all that there is to look at."""
        return self.asks == ["sign-off"] and asks_only_signatures(self.run)


def asks_only_signatures(run: ActivityRun) -> bool:
    """Return whether an activity asks for sign-offs and nothing else: no form, no tasks, no evidence."""
    work = run.work
    required = (work.get("evidence") or {}).get("required")
    return bool(work.get("approval")) and not (work.get("form") or work.get("tasks") or required)


def waiting_for(
    user: User, *, release: Release | None = None, most: int = MOST, now: datetime | None = None
) -> list[Waiting]:
    """Return what waits for `user`, what is due first and then the oldest first: everywhere, or in one release (seen).

    `now` (UTC), if it is not the clock's, decides what is overdue.
    """
    own: Names = {
        ("user", user.get_username()),
        *(("group", name) for name in user.groups.values_list("name", flat=True)),
    }
    roles = list(ReleaseRole.objects.filter(user=user, release__state__in=UNDER_WAY).values_list("release_id", "role"))
    runs = (
        _runs(user, release)
        .filter(_speaks_of(own) | _speaks_of_roles(roles))
        .order_by(F("first_due_at").asc(nulls_last=True), "opened_at", "id")
    )
    found = []
    for run in runs[:most]:
        held = own | {("role", role) for release_id, role in roles if release_id == run.release_id}
        if asks := _asks(user, run, held):
            due_at = _due(run, held)
            since = run.finished_at or run.started_at or run.opened_at
            tasks = _own_tasks(run, held) if "task" in asks else []
            found.append(Waiting(run, asks, since, due_at, is_overdue(due_at, None, now), tasks))
    return sorted(found, key=_place)


def _place(entry: Waiting) -> tuple[float, float]:
    """Order by when it is due, then by when it opened."""
    due, opened = entry.due_at, entry.run.opened_at
    return due.timestamp() if due else math.inf, opened.timestamp() if opened else 0


def _due(run: ActivityRun, held: Names) -> datetime | None:
    tasks = [task.due_at for task in _own_tasks(run, held)]
    return min((at for at in (run.due_at, run.phase.due_at, *tasks) if at is not None), default=None)


def asking(run_id: int) -> ActivityRun | None:
    """Return an activity that asks people something now, with all that `people_asked` reads; else None."""
    runs = ActivityRun.objects.filter(_WAITING, pk=run_id, release__state__in=UNDER_WAY)
    everybodys = Prefetch("sign_offs", SignOff.objects.filter(void_at=None), to_attr="all_sign_offs")
    return runs.select_related("release", "phase").prefetch_related(_OPEN_TASKS, everybodys, "evidence").first()


def people_asked(run: ActivityRun) -> list[tuple[User, datetime | None]]:
    """Return everybody whom an activity (see `asking`) waits for, each with when it is due for them. Three queries."""
    rules = (run.work.get("approval") or {}).get("rules") or []
    names = [*run.phase.owners, *(name for rule in rules for name in people.rule_names(rule))]
    names += [name for task in run.open_tasks for name in task.groups]  # type: ignore[attr-defined]
    roles = list(ReleaseRole.objects.filter(release=run.release_id).values_list("user_id", "role"))
    found: list[tuple[User, datetime | None]] = []
    for user in assignees.people(run.release_id, names).prefetch_related("groups").order_by("pk"):
        held: Names = {("user", user.get_username()), *(("group", group.name) for group in user.groups.all())}
        held |= {("role", role) for user_id, role in roles if user_id == user.pk}
        signed = run.all_sign_offs  # type: ignore[attr-defined]
        run.own_sign_offs = [sign for sign in signed if sign.user_id == user.pk]  # type: ignore[attr-defined]
        if _asks(user, run, held):
            found.append((user, _due(run, held)))
    return found


def due_moments(run: ActivityRun) -> list[datetime]:
    """Return when an activity (see `asking`), its phase and its open tasks are due."""
    tasks = [task.due_at for task in run.open_tasks]  # type: ignore[attr-defined]
    return [at for at in (run.due_at, run.phase.due_at, *tasks) if at is not None]


class ContainsAny(Func):
    """Whether a document contains any of some others; one comparison, however many they are."""

    template = "(%(expressions)s::jsonb[]))"
    arg_joiner = " @> ANY("
    output_field = BooleanField()

    def __init__(self, document: str, others: Iterable[Any]) -> None:
        texts = [json.dumps(other) for other in others]
        super().__init__(F(document), Value(texts, ArrayField(TextField())))


def _runs(user: User, release: Release | None) -> QuerySet[ActivityRun]:
    around = Q(release=release) if release is not None else Q(release__in=policy.visible_releases(user))
    tasks = TaskRun.objects.filter(activity_run=OuterRef("pk"), attempt=OuterRef("attempt"), done_at=None)
    first_task = Subquery(tasks.order_by("due_at").values("due_at")[:1])
    return (
        columns.asking(ActivityRun.objects.all())
        .alias(asked=searchable("work"), first_due_at=Least("due_at", "phase__due_at", first_task))
        .filter(_WAITING, around, release__state__in=UNDER_WAY)
        .prefetch_related(
            _OPEN_TASKS,
            Prefetch("sign_offs", SignOff.objects.filter(user=user, void_at=None), to_attr="own_sign_offs"),
            "evidence",
        )
    )


def _speaks_of(names: Names) -> Q:
    """Return the condition that owners, open tasks or approval rules of an activity name any of `names`."""
    spelled = [text for kind, name in names for text in _spellings(kind, name)]
    tasks = TaskRun.objects.filter(activity_run=OuterRef("pk"), attempt=OuterRef("attempt"), done_at=None)
    rules: list[Any] = [rule for text in spelled for rule in ({"group": text}, {"or": [text]})]
    persons = [text for kind, name in names if kind == "user" for text in _spellings(kind, name)]
    rules += [rule for text in persons for rule in ({"user": text}, {"users": [text]})]
    asked = ContainsAny("asked__approval__rules", [[rule] for rule in rules])
    return Q(phase__owners__overlap=spelled) | Q(Exists(tasks.filter(groups__overlap=spelled))) | Q(asked)


def _speaks_of_roles(roles: Iterable[tuple[int, str]]) -> Q:
    condition = Q(pk__in=[])
    for release_id, role in roles:
        condition |= Q(release=release_id) & _speaks_of({("role", role)})
    return condition


def _spellings(kind: str, name: str) -> list[str]:
    """Return how documents may write a name: a group's and, in approval rules, a person's may stand alone."""
    return [f"{kind}:{name}"] if kind == "role" else [f"{kind}:{name}", name]


def _asks(user: User, run: ActivityRun, held: Names) -> list[str]:
    owner = _named(held, run.phase.owners)
    if run.state == "on_hold":
        return ["decision"] if owner else []
    tasks = _own_tasks(run, held)
    work, asks = run.work, ["task"] if tasks else []
    if work.get("form") and not work.get("answered") and (owner or tasks):
        asks.append("form")
    if _is_asked_to_sign(user, run, held):
        asks.append("sign-off")
    required = int((work.get("evidence") or {}).get("required") or 0)
    if required and owner and sum(file.attempt == run.attempt for file in run.evidence.all()) < required:
        asks.append("evidence")
    if owner and not asks and not (work.get("approval") or work.get("form") or work.get("tasks") or required):
        asks.append("done")
    return asks


def _own_tasks(run: ActivityRun, held: Names) -> list[TaskRun]:
    open_tasks: list[TaskRun] = run.open_tasks  # type: ignore[attr-defined]
    return [task for task in open_tasks if task.attempt == run.attempt and _named(held, task.groups)]


def _is_asked_to_sign(user: User, run: ActivityRun, held: Names) -> bool:
    terms: dict[str, Any] = run.work.get("approval") or {}
    if any(sign.attempt == run.attempt for sign in run.own_sign_offs):  # type: ignore[attr-defined]
        return False
    if terms.get("four_eyes", True) and run.release.started_by_id == user.pk:
        return False
    rules = terms.get("rules") or []
    return _named(held, [name for rule in rules for name in people.rule_names(rule)])


def _named(held: Names, names: Iterable[str]) -> bool:
    return any(assignees.split(name) in held for name in names)
