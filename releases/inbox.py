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
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Exists,
    F,
    Func,
    Model,
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
from config.permissions import groups_of
from releases import assignees, policy
from releases.execution import people
from releases.execution.signing import files_asked
from releases.models import ActivityRun, Evidence, PhaseRun, Release, ReleaseRole, SignOff, TaskRun
from releases.reading.due import is_overdue
from releases.reading.runs import Runs

M = TypeVar("M", bound=Model)
UNDER_WAY = ("running", "paused")
ASKING = ("waiting", "on_hold")
MOST = 100
Names = set[tuple[str, str]]
_WAITING = Q(state="on_hold") | Q(state="waiting", kind="manual")
_OPEN_TASKS = Prefetch("tasks", TaskRun.objects.filter(done_at=None), to_attr="open_tasks")


@dataclass(frozen=True, slots=True)
class _Activity:
    """An activity that waits or is held, as far as it decides of whom it asks what."""

    state: str
    attempt: int
    work: Mapping[str, Any]
    owners: Sequence[str]
    started_by: int | None
    due: Sequence[datetime | None]
    tasks: Sequence[TaskRun]
    signed: bool
    files: int


@dataclass(slots=True)
class Call:
    """What is asked of a person by the activity `id`; `asks` says what: decision, sign-off, task, form, evidence, done.

    `due_at` is the earliest moment at which it, its phase or one of this person's tasks in it is due; `tasks` are the
    open tasks that this person may do. `is_plain_sign_off` says that a signature is all that is asked, and all that
    there is to look at. `row` is what has been read of the activity.
    """

    id: int
    name: str
    asks: list[str]
    since: datetime | None
    opened_at: datetime | None
    row: Mapping[str, Any] = field(repr=False, compare=False)
    due_at: datetime | None = None
    overdue: bool = False
    is_plain_sign_off: bool = False
    tasks: list[TaskRun] = field(default_factory=list)


@dataclass(slots=True)
class Waiting(Call):
    """The same with the activity itself, its release and its phase."""

    run: ActivityRun = field(kw_only=True)


def asks_only_signatures(run: ActivityRun) -> bool:
    """Return whether an activity asks for sign-offs and nothing else: no form, no tasks, no evidence."""
    return _is_plain(run.work)


def _is_plain(work: Mapping[str, Any]) -> bool:
    return bool(work.get("approval")) and not (work.get("form") or work.get("tasks") or files_asked(work))


def waiting_for(
    user: User, *, release: Release | None = None, most: int = MOST, now: datetime | None = None
) -> list[Waiting]:
    """Return what waits for `user`, what is due first and then the oldest first: everywhere, or in one release (seen).

    `now` (UTC), if it is not the clock's, decides what is overdue.
    """
    return with_runs(calls_for(user, release=release, most=most, now=now))


def with_runs(calls: Iterable[Call]) -> list[Waiting]:
    """Return calls of `calls_for` with the activities they are about, as far as rows tell of them. No query."""
    names = [column.name for column in fields(Call)]
    return [Waiting(**{name: getattr(call, name) for name in names}, run=_run_of(call.row)) for call in calls]


def _run_of(row: Mapping[str, Any]) -> ActivityRun:
    run = _read(ActivityRun, {name: row[name] for name in _OF_RUN})
    version = row["release__version"]
    run.release = _read(Release, {"id": row["release_id"], "name": row["release__name"], "version": version})
    run.phase = _read(PhaseRun, {"id": row["phase_id"], "name": row["phase__name"]})
    return run


def _read(model: type[M], values: Mapping[str, Any]) -> M:
    """Return a row of which these columns have been read; the others are read when they are asked for."""
    names = [column.attname for column in model._meta.concrete_fields if column.attname in values]
    return model.from_db(None, names, [values[name] for name in names])


def calls_for(
    user: User, *, release: Release | None = None, most: int = MOST, now: datetime | None = None
) -> list[Call]:
    """Return the same as `waiting_for`, without the activities themselves. A few queries."""
    own = _own_names(user)
    roles = list(ReleaseRole.objects.filter(user=user, release__state__in=UNDER_WAY).values_list("release_id", "role"))
    around = Q(release=release) if release is not None else Q(release__in=policy.visible_releases(user))
    rows = (
        _runs(around)
        .filter(_speaks_of(own) | _speaks_of_roles(roles))
        .order_by(F("first_due_at").asc(nulls_last=True), "opened_at", "id")
        .values_list(*_COLUMNS)
    )
    return _calls(user, [dict(zip(_COLUMNS, row, strict=True)) for row in rows[:most]], own, roles, now)


def calls_in(user: User, release: Release, runs: Runs) -> list[Call]:
    """Return what waits for `user` in one release, whose runs are known already. At most four queries."""
    if release.state not in UNDER_WAY:
        return []
    work, phases = {run.pk: run.work for run in runs.waiting}, {phase.id: phase for phase in runs.phases}
    known = {"release_id": release.pk, "release__started_by_id": release.started_by_id}
    rows = [
        {
            **known,
            **{name: getattr(row, name) for name in _OWN},
            "work": work.get(row.id, {}),
            "phase__owners": phases[row.phase_id].owners,
            "phase__due_at": phases[row.phase_id].due_at,
        }
        for row in runs.activities
        if row.state == "on_hold" or (row.state == "waiting" and row.kind == "manual")
    ]
    if not rows:
        return []
    roles = list(ReleaseRole.objects.filter(user=user, release=release).values_list("release_id", "role"))
    return _calls(user, rows, _own_names(user), roles, None)


def _own_names(user: User) -> Names:
    return {("user", user.get_username()), *(("group", name) for name in groups_of(user))}


def _calls(
    user: User, rows: Sequence[dict[str, Any]], own: Names, roles: Sequence[tuple[int, str]], now: datetime | None
) -> list[Call]:
    found = []
    for row, activity in _activities(user, rows):
        held = own | {("role", role) for release_id, role in roles if release_id == row["release_id"]}
        if asks := _asks(user, activity, held):
            tasks = _own_tasks(activity, held)
            due_at = min((at for at in (*activity.due, *(task.due_at for task in tasks)) if at), default=None)
            call = Call(row["id"], row["name"], asks, _since(row), row["opened_at"], row, due_at)
            call.overdue = is_overdue(due_at, None, now)
            call.is_plain_sign_off = asks == ["sign-off"] and _is_plain(activity.work)
            call.tasks = tasks if "task" in asks else []
            found.append(call)
    return sorted(found, key=_place)


_OWN = ("id", "name", "state", "attempt", "due_at", "opened_at", "started_at", "finished_at")
_OF_RUN = ("id", "path", "name", "state", "error", "work", "release_id", "phase_id")
_AROUND = ("phase__name", "phase__owners", "phase__due_at", "release__name", "release__version")
_COLUMNS = tuple(dict.fromkeys((*_OWN, *_OF_RUN, *_AROUND, "release__started_by_id")))


def _activities(user: User, known: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], _Activity]]:
    """Yield each row with what decides of whom it asks what. At most three queries."""
    tasked = [row["id"] for row in known if row["work"].get("tasks")]
    tasks: dict[int, list[TaskRun]] = defaultdict(list)
    for task in TaskRun.objects.filter(activity_run__in=tasked, done_at=None) if tasked else ():
        tasks[task.activity_run_id].append(task)
    approved = [row["id"] for row in known if row["work"].get("approval")]
    own = SignOff.objects.filter(user=user, void_at=None, activity_run__in=approved).order_by()
    signed = set(own.values_list("activity_run_id", "attempt")) if approved else set()
    asked = [row["id"] for row in known if files_asked(row["work"])]
    files = Counter(_files_of(asked)) if asked else Counter()
    for row in known:
        try_of = (row["id"], row["attempt"])
        yield (
            row,
            _Activity(
                state=row["state"],
                attempt=row["attempt"],
                work=row["work"],
                owners=row["phase__owners"],
                started_by=row["release__started_by_id"],
                due=(row["due_at"], row["phase__due_at"]),
                tasks=tasks[row["id"]],
                signed=try_of in signed,
                files=files[try_of],
            ),
        )


def _files_of(runs: Iterable[int]) -> Iterable[tuple[int, int]]:
    return Evidence.objects.filter(activity_run__in=runs).order_by().values_list("activity_run_id", "attempt")


def _since(row: Mapping[str, Any]) -> datetime | None:
    at: datetime | None = row["finished_at"] or row["started_at"] or row["opened_at"]
    return at


def _place(call: Call) -> tuple[float, float]:
    """Order by when it is due, then by when it opened."""
    due, opened = call.due_at, call.opened_at
    return due.timestamp() if due else math.inf, opened.timestamp() if opened else 0


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
        activity = _activity_of(run, user)
        if _asks(user, activity, held):
            tasks = (task.due_at for task in _own_tasks(activity, held))
            found.append((user, min((at for at in (*activity.due, *tasks) if at is not None), default=None)))
    return found


def _activity_of(run: ActivityRun, user: User) -> _Activity:
    signs = [sign for sign in run.all_sign_offs if sign.user_id == user.pk]  # type: ignore[attr-defined]
    return _Activity(
        state=run.state,
        attempt=run.attempt,
        work=run.work,
        owners=run.phase.owners,
        started_by=run.release.started_by_id,
        due=(run.due_at, run.phase.due_at),
        tasks=run.open_tasks,  # type: ignore[attr-defined]
        signed=any(sign.attempt == run.attempt for sign in signs),
        files=sum(file.attempt == run.attempt for file in run.evidence.all()),
    )


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


def _runs(around: Q) -> QuerySet[ActivityRun]:
    tasks = TaskRun.objects.filter(activity_run=OuterRef("pk"), attempt=OuterRef("attempt"), done_at=None)
    first_task = Subquery(tasks.order_by("due_at").values("due_at")[:1])
    dated = Least("due_at", "phase__due_at", first_task)
    runs = ActivityRun.objects.alias(asked=searchable("work"), first_due_at=dated)
    return runs.filter(_WAITING, around, release__state__in=UNDER_WAY)


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


def _asks(user: User, activity: _Activity, held: Names) -> list[str]:
    owner = _named(held, activity.owners)
    if activity.state == "on_hold":
        return ["decision"] if owner else []
    tasks = _own_tasks(activity, held)
    work, asks = activity.work, ["task"] if tasks else []
    if work.get("form") and not work.get("answered") and (owner or tasks):
        asks.append("form")
    if _is_asked_to_sign(user, activity, held):
        asks.append("sign-off")
    required = files_asked(work)
    if owner and activity.files < required:
        asks.append("evidence")
    if owner and not asks and not (work.get("approval") or work.get("form") or work.get("tasks") or required):
        asks.append("done")
    return asks


def _own_tasks(activity: _Activity, held: Names) -> list[TaskRun]:
    return [task for task in activity.tasks if task.attempt == activity.attempt and _named(held, task.groups)]


def _is_asked_to_sign(user: User, activity: _Activity, held: Names) -> bool:
    terms: dict[str, Any] = activity.work.get("approval") or {}
    if activity.signed or (terms.get("four_eyes", True) and activity.started_by == user.pk):
        return False
    rules = terms.get("rules") or []
    return _named(held, [name for rule in rules for name in people.rule_names(rule)])


def _named(held: Names, names: Iterable[str]) -> bool:
    return any(assignees.split(name) in held for name in names)
