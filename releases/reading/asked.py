"""What waiting activities still ask of people, for all of a release at once: as `execution.people` tells of one.

However many activities wait, it takes the same few queries: the names that rules speak of are looked up together, and
so are those who acted in the activities that `different_from` and `same_as` name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Q

from config.models import Event
from releases import approval, assignees
from releases.execution.people import rule_names
from releases.execution.signing import ACTED, files_asked, form_of, terms_of
from releases.models import ActivityRun, Evidence, Release, ReleaseRole, SignOff, TaskRun
from releases.tree import Key, Tree


@dataclass(slots=True)
class Asked:
    """What a waiting manual activity still asks: open required tasks, the form, sign-offs, so many evidence files."""

    tasks: list[TaskRun] = field(default_factory=list)
    every_group: list[str] = field(default_factory=list)
    form: bool = False
    standings: list[approval.Standing] = field(default_factory=list)
    evidence: int = 0
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class People:
    """Who the names of a release stand for: `ids` by (kind, name), `names` by id; `unfilled` roles stand for nobody."""

    ids: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    names: dict[int, str] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)

    def of(self, names: Iterable[str]) -> set[int]:
        """Return the ids of everybody `names` stand for."""
        return {pk for name in names for pk in self.ids.get(assignees.split(name), ())}


def people_of(release: Release, names: Iterable[str]) -> People:
    """Return who `names` stand for, and which roles of the release are filled."""
    found = People()
    wanted: dict[str, set[str]] = {"group": set(), "user": set(), "role": set()}
    for kind, name in map(assignees.split, names):
        wanted[kind].add(name)
    filled = ReleaseRole.objects.filter(release=release).values_list("role", "user_id", "user__is_active")
    fillers = defaultdict(set)
    for role, pk, is_active in filled:
        found.filled.add(role)
        if is_active and role in wanted["role"]:
            fillers[pk].add(role)
    meant = Q(groups__name__in=wanted["group"]) | Q(username__in=wanted["user"]) | Q(pk__in=fillers)
    users = User.objects.filter(meant, is_active=True)
    for pk, username, group in users.values_list("pk", "username", "groups__name").distinct():
        found.names[pk] = username
        found.ids["user", username].add(pk)
        found.ids["group", group].add(pk)
        for role in fillers[pk]:
            found.ids["role", role].add(pk)
    return found


def asked_of(
    release: Release, tree: Tree, waiting: Sequence[ActivityRun], everything: Mapping[Key, int]
) -> tuple[dict[int, Asked], People]:
    """Return what each of `waiting` (manual activities) still asks by its id, and who the names stand for.

    `everything` are the ids of all activity runs of the release.
    """
    found = {run.pk: Asked(form=_is_form_open(run), terms=terms_of(run.work)) for run in waiting}
    mine = Q(activity_run__in=found, attempt=F("activity_run__attempt"))
    for task in TaskRun.objects.filter(mine).order_by("activity_run_id", "position"):
        found[task.activity_run_id].every_group += task.groups
        found[task.activity_run_id].tasks += [task] if task.required and task.done_at is None else []
    given: dict[int, int] = defaultdict(int)
    required = {run.pk: files_asked(run.work) for run in waiting}
    files = Evidence.objects.filter(mine).values_list("activity_run_id", flat=True)
    for pk in files if any(required.values()) else ():
        given[pk] += 1
    people = people_of(release, {name for run in waiting for name in _names_in(run)})
    acted = _acted(tree, waiting, everything)
    approvers = defaultdict(list)
    signed = SignOff.objects.filter(mine, decision="approved", void_at=None, user__isnull=False).order_by("pk")
    for pk, user in signed.values_list("activity_run_id", "user_id"):
        approvers[pk].append(user)
    for run in waiting:
        found[run.pk].standings = _standings(release, run, people, acted, approvers[run.pk])
        found[run.pk].evidence = max(0, required[run.pk] - given[run.pk])
    return found, people


def _is_form_open(run: ActivityRun) -> bool:
    return bool(form_of(run.work)) and not run.work.get("answered")


def _names_in(run: ActivityRun) -> list[str]:
    return [name for rule in terms_of(run.work).get("rules") or [] for name in rule_names(rule)]


Acted = Mapping[tuple[int, str], set[int]]


def _standings(
    release: Release, run: ActivityRun, people: People, acted: Acted, approvers: list[int]
) -> list[approval.Standing]:
    """Return how each rule stands; see `execution.signing.standings_of`, which asks the database for one activity."""
    terms = terms_of(run.work)
    rules = terms.get("rules") or []
    if not rules or terms.get("granted"):
        return []
    barred = {release.started_by_id} if terms.get("four_eyes", True) and release.started_by_id else set()
    for reference in terms.get("different_from") or []:
        barred |= acted[run.pk, reference]
    if same_as := terms.get("same_as"):
        barred |= people.of(_names_in(run)) - {pk for reference in same_as for pk in acted[run.pk, reference]}
    named = [people.of(assignees.names_of_rule(rule)) - barred for rule in rules]
    eligible = [found | (people.of(rule.get("or") or []) - barred) for rule, found in zip(rules, named, strict=True)]
    needs = [approval.needed(rule, len(found)) for rule, found in zip(rules, named, strict=True)]
    return approval.standings(rules, eligible, approvers, needs=needs)


def _acted(tree: Tree, waiting: Sequence[ActivityRun], everything: Mapping[Key, int]) -> Acted:
    """Return who acted in each activity that `different_from` or `same_as` of a waiting one names."""
    meant: dict[tuple[int, str], set[int]] = {}
    for run in waiting:
        terms = terms_of(run.work)
        for reference in [*(terms.get("different_from") or []), *(terms.get("same_as") or [])]:
            meant[run.pk, reference] = _runs_meant(tree, run, reference, everything)
    by_run = _actors({pk for runs in meant.values() for pk in runs})
    return {name: {user for pk in runs for user in by_run[pk]} for name, runs in meant.items()}


def _runs_meant(tree: Tree, run: ActivityRun, reference: str, everything: Mapping[Key, int]) -> set[int]:
    """Return the ids of the runs that a reference means: see `execution.signing.actors_of`."""
    here = Key(run.node, run.items)
    phase_id, _, activity_id = reference.rpartition(".")
    own = tree.phase_of(here)
    phase = tree.named(tree[here].scope, phase_id) if phase_id else own and own.node
    named = None if phase is None else tree.named(phase, activity_id)
    if named is None:
        return set()
    items = tree.around(here, named).items
    nodes = {named, *tree.below(named)}
    start = f"{items}." if items else ""
    return {
        pk
        for key, pk in everything.items()
        if key.node in nodes and (key.items == items or key.items.startswith(start))
    }


def _actors(runs: set[int]) -> dict[int, set[int]]:
    """Return the ids of those who acted in each of `runs`: signed, did a task, answered, handed in or completed it."""
    found: dict[int, set[int]] = defaultdict(set)
    if not runs:
        return found
    signers = SignOff.objects.filter(activity_run__in=runs, void_at=None, user__isnull=False)
    doers = TaskRun.objects.filter(activity_run__in=runs, done_by__isnull=False)
    manual = ActivityRun.objects.filter(pk__in=runs, kind="manual").values("pk")
    told = Event.objects.filter(subject_type="activityrun", actor__isnull=False).filter(
        Q(subject_id__in=runs, verb__in=ACTED) | Q(subject_id__in=manual, verb="activity.succeeded")
    )
    pairs = [
        *signers.values_list("activity_run_id", "user_id"),
        *doers.values_list("activity_run_id", "done_by_id"),
        *told.values_list("subject_id", "actor_id"),
    ]
    for pk, user in pairs:
        if pk is not None and user is not None:
            found[pk].add(user)
    return found
