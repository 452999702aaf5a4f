"""Who may see a release and who may do what in it, in one place for pages, API and admin.

A release is seen by holders of `view_release` or `operate_release` (model-wide or on it), by those who may see or
operate its group, by those who may start or operate its process, and by everybody who takes part in it or made it.
It is operated (paused, resumed, aborted, restarted) by holders of `operate_release` on it, its group or its process.
What is on hold is decided by them and by the owners of the activity and of the phases it lies in.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.auth.models import User
from django.db.models import BooleanField, Func, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql.compiler import SQLCompiler

from config.errors import NotFound, NotPermitted
from config.permissions import allowed, held_objects, visible_in
from config.trail import Actor
from processes.models import Process
from releases import assignees
from releases.models import ActivityRun, PhaseRun, Release, ReleaseGroup, Snapshot

#: The permission to grant and refuse the exceptions from freezes that others ask for; held model-wide.
GRANT = "releases.grant_freezeexception"


#: What lets somebody see a release when they hold it on the release, its group or its process.
_SEES = (
    ["releases.view_release", "releases.operate_release"],
    ["releases.view_releasegroup", "releases.operate_releasegroup"],
    ["processes.start_process", "processes.operate_process"],
)
_KINDS: tuple[type[Model], ...] = (Release, ReleaseGroup, Process)


def visible_releases(actor: Actor) -> QuerySet[Release]:
    """Return the releases `actor` may see."""
    releases = Release.objects.all()
    if actor is None or any(allowed(actor, f"releases.{verb}_release") for verb in ("view", "operate")):
        return releases
    if not isinstance(actor, User) or not actor.is_active:
        return releases.none()
    held = [held_objects(actor, names, model) for names, model in zip(_SEES, _KINDS, strict=True)]
    known = [ids for ids in held if ids is not None]
    if len(known) == len(held):
        return releases.filter(_Seen(actor, *known))
    return releases.filter(_holds_around(actor, *_SEES) | concerns(actor))


def may_see(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may see `release`: the same as `visible_releases`, for one that has been read."""
    if any(allowed(actor, f"releases.{verb}_release", release) for verb in ("view", "operate")):
        return True
    if not isinstance(actor, User) or not actor.is_active:
        return False
    return (
        any(allowed(actor, f"processes.{verb}_process", release.process) for verb in ("start", "operate"))
        or (release.group is not None and _holds_group(actor, release.group))
        or actor.pk in (release.created_by_id, release.started_by_id)
        or Release.objects.filter(concerns(actor), pk=release.pk).exists()
    )


def _holds_group(actor: Actor, group: ReleaseGroup) -> bool:
    return any(allowed(actor, f"releases.{verb}_releasegroup", group) for verb in ("view", "operate"))


#: In plain SQL, as it is asked many times a page, and PostgreSQL looks both halves up in their own index.
_TAKES_PART = """
    SELECT release_id FROM releases_participant WHERE user_id = %s
    UNION ALL
    SELECT p.release_id FROM releases_participant p JOIN auth_user_groups m ON m.group_id = p.group_id
     WHERE m.user_id = %s"""


class _Seen(Func):
    """The condition that `user` sees a release, whose permissions on single objects are known: by their ids.

    The same as `_holds_around` and `concerns` together, as one piece of plain SQL: Django takes longer to put the many
    conditions together than PostgreSQL to answer them, and a page asks this in most of its queries. Lists of the
    columns' own type are looked up in a hash table; smaller numbers would be compared one by one.
    """

    output_field = BooleanField()

    def __init__(self, user: User, releases: list[int], groups: list[int], processes: list[int]) -> None:
        super().__init__("pk", "group", "process", "created_by", "started_by")
        self.known = (releases, groups, processes, user.pk, user.pk, user.pk, user.pk)

    def as_sql(self, compiler: SQLCompiler, *_: Any, **__: Any) -> tuple[str, Any]:
        """Return the condition on the columns as this statement calls them."""
        pk, group, process, made, started = (compiler.compile(one)[0] for one in self.get_source_expressions())
        lists = " OR ".join(f"{column} = ANY(%s::bigint[])" for column in (pk, group, process))
        return f"({lists} OR {made} = %s OR {started} = %s OR {pk} IN ({_TAKES_PART}))", self.known


def concerns(user: User) -> Q:
    """Return the condition that `user` takes part in a release, alone or in a group, or made or started it."""
    return Q(created_by=user) | Q(started_by=user) | Q(pk__in=RawSQL(_TAKES_PART, [user.pk, user.pk]))  # noqa: S611 - constant


def visible_ids(actor: Actor, ids: Collection[int]) -> set[int]:
    """Return those of some releases' ids that `actor` may see. One query at most."""
    if actor is None or not ids:
        return set(ids)
    return set(visible_releases(actor).filter(pk__in=ids).values_list("pk", flat=True))


def _holds_around(actor: Actor, on_release: list[str], on_group: list[str], on_process: list[str]) -> Q:
    """Return the condition that `actor` holds one of these permissions: on a release, its group or its process."""
    asked = zip(("pk", "group", "process"), (on_release, on_group, on_process), _KINDS, strict=True)
    return reduce(or_, (visible_in(actor, names, model, field) for field, names, model in asked))


def may_operate(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may pause, resume, abort and restart in `release`, and edit its plan."""
    return (
        allowed(actor, "releases.operate_release", release)
        or allowed(actor, "processes.operate_process", release.process)
        or (release.group is not None and allowed(actor, "releases.operate_releasegroup", release.group))
    )


def operable_releases(actor: Actor) -> QuerySet[Release]:
    """Return the releases `actor` may operate (see `may_operate`)."""
    releases = Release.objects.all()
    if actor is None or allowed(actor, "releases.operate_release"):
        return releases
    return releases.filter(
        _holds_around(
            actor, ["releases.operate_release"], ["releases.operate_releasegroup"], ["processes.operate_process"]
        )
    )


def may_start(actor: Actor, process: Process, group: ReleaseGroup | None = None) -> bool:
    """Return whether `actor` may create and start releases of `process` (in `group`, if one is given)."""
    return (
        allowed(actor, "processes.start_process", process)
        or allowed(actor, "releases.add_release")
        or (group is not None and allowed(actor, "releases.operate_releasegroup", group))
    )


def owns(actor: Actor, phase: PhaseRun) -> bool:
    """Return whether `actor` is an owner of a phase run, or of one that holds it."""
    if actor is None:
        return True
    if not isinstance(actor, User) or not actor.is_active:
        return False
    names, around = set(phase.owners), [path for path in _paths_around(phase.path) if path != phase.path]
    if around:
        holders = PhaseRun.objects.filter(release_id=phase.release_id, path__in=around)
        names |= {name for owners in holders.values_list("owners", flat=True) for name in owners}
    return assignees.is_one_of(actor, phase.release_id, names)


def _paths_around(path: str) -> list[str]:
    """Return the paths a phase's holders may have: `a/b/c[0]` lies in `a`, and in `a/b` or `a/b[0]`."""
    plain, bracket, items = path.partition("[")
    indexes = [f"[{index}" for index in items.split("[")] if bracket else []
    suffixes = ["".join(indexes[:length]) for length in range(len(indexes) + 1)]
    ids = plain.split("/")
    return ["/".join(ids[:length]) + suffix for length in range(1, len(ids) + 1) for suffix in suffixes]


def may_decide(actor: Actor, run: ActivityRun) -> bool:
    """Return whether `actor` may retry, replace, ignore or fail what is on hold, and say a manual activity is done."""
    return may_operate(actor, run.release) or owns(actor, run.phase) or _owns_activity(actor, run)


def _owns_activity(actor: Actor, run: ActivityRun) -> bool:
    """Return whether `actor` is among the owners that the activity has of its own, as its node was pinned."""
    if not isinstance(actor, User) or not actor.is_active or run.release.snapshot_id is None:
        return False
    snapshot = Snapshot.objects.filter(pk=run.release.snapshot_id)
    owners = snapshot.values_list(f"tree__nodes__{run.node}__owners", flat=True).first()
    return assignees.is_one_of(actor, run.release_id, owners or [])


def require_operate(actor: Actor, release: Release) -> None:
    """Raise NotPermitted unless `actor` may operate `release`."""
    if not may_operate(actor, release):
        raise NotPermitted("You need the permission to operate this release, its group or its process.")


def require_start(actor: Actor, process: Process, group: ReleaseGroup | None = None) -> None:
    """Raise NotPermitted unless `actor` may start releases of `process`."""
    if not may_start(actor, process, group):
        raise NotPermitted(f"You need the permission to start releases of {process}.")


def require_decide(actor: Actor, run: ActivityRun) -> None:
    """Raise NotPermitted unless `actor` may decide about `run`."""
    if not may_decide(actor, run):
        raise NotPermitted("Only the owners of its phase and those who operate the release decide about this activity.")


def may_break_glass(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may start `release` in spite of what stops it."""
    return allowed(actor, "releases.break_glass_release", release)


def require_break_glass(actor: Actor, release: Release) -> None:
    """Raise NotPermitted unless `actor` may start `release` in spite of what stops it."""
    if not may_break_glass(actor, release):
        raise NotPermitted("You need the permission to break the glass for this release.")


def require_one_of(actor: Actor, release_id: int, names: list[str], what: str) -> None:
    """Raise NotPermitted unless `actor` is among the people `names` stand for; `what` says for what."""
    if actor is None:
        return
    if not isinstance(actor, User) or not assignees.is_one_of(actor, release_id, names):
        raise NotPermitted(f"Only {', '.join(names) or 'nobody'} may {what}.")


def may_plan(actor: Actor, release: Release) -> bool:
    """Return whether `actor` may edit, schedule or cancel `release`: operates it, or made it and may still start it."""
    if may_operate(actor, release):
        return True
    if not isinstance(actor, User) or release.created_by_id != actor.pk:
        return False
    return may_start(actor, release.process, release.group)


def require_plan(actor: Actor, release: Release) -> None:
    """Raise NotPermitted unless `actor` may plan `release`."""
    if not may_plan(actor, release):
        raise NotPermitted("You need the permission to operate this release, its group or its process.")


def require_see(actor: Actor, release_id: int) -> None:
    """Raise NotFound unless `actor` may see the release: whoever may not learns nothing of it."""
    if not visible_releases(actor).filter(pk=release_id).exists():
        raise NotFound("There is no such release, or you may not see it.")


def granters() -> QuerySet[User]:
    """Return the active people who may grant exceptions from freezes."""
    return User.objects.with_perm(GRANT, backend="django.contrib.auth.backends.ModelBackend")
