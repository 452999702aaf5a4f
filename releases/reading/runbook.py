"""Everything that people need to carry a release on by hand: its steps in order with values, owners and how it stands.

Values are those of the runs, and for what has not opened yet as far as they can be read; the rest stays an expression.
Secrets are named, never told. The contacts are the people behind the owners, with their addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q

from config.errors import ExpressionFailed
from processes import expressions
from processes import inputs as typed_inputs
from releases import assignees, resolution, touched
from releases.models import ActivityRun, PhaseRun, Release, SignOff, TaskRun
from releases.reading.forecasts import tree_for
from releases.reading.planned import planned_dates
from releases.reading.values import Value, values_of
from releases.services.starting import preview_start
from releases.tree import ROOT, Key, Node, Tree

#: So many people of one group are named.
MOST_PEOPLE = 12
_HIDDEN = {"secret": "hidden"}


@dataclass(slots=True)
class Entry:
    """A phase or activity, numbered as in `2.3`; `about` are the facts of how it is done, each with its value."""

    number: str
    node: Node
    name: str
    state: str
    owners: list[str]
    after: list[str]
    instructions: str = ""
    about: list[tuple[str, Any]] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    tasks: list[Mapping[str, Any]] = field(default_factory=list)
    rules: list[Mapping[str, Any]] = field(default_factory=list)
    signed: list[SignOff] = field(default_factory=list)
    form: list[str] = field(default_factory=list)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    due_at: datetime | None = None
    error: str = ""
    inside: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contact:
    """An owner or role, and the active people behind the name: how they are called and their address."""

    name: str
    people: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Runbook:
    """A release on paper, as of a moment."""

    as_of: datetime
    inputs: list[Value]
    phases: list[Entry]
    contacts: list[Contact]


def runbook_of(release: Release, *, now: datetime) -> Runbook:
    """Return the runbook of a release; without phases where nothing fit to run is published. Constant queries."""
    tree = tree_for(release)
    if tree is None:
        return Runbook(now, [], [], [])
    writer = _Writer(release, tree, now)
    phases = writer.entries(tree.children(ROOT), writer.outermost, "")
    root = tree.nodes[0].doc
    inputs = values_of(root["inputs"], writer.inputs, writer.sources)
    return Runbook(now, _masked(root["inputs"], inputs), phases, _contacts(release, writer.names))


class _Writer:
    """Writes the entries of a release, and notes whose names it writes."""

    def __init__(self, release: Release, tree: Tree, now: datetime) -> None:
        self.release, self.tree = release, tree
        self.inputs: Mapping[str, Any] = release.inputs
        self.sources: Mapping[str, str] = release.sources
        self.given: touched.Given = release.values
        if release.snapshot_id is None:
            resolved = preview_start(release, {}, now=now).resolved
            self.inputs, self.sources, self.given = resolved.inputs, resolved.sources, resolved.values
        self.around = resolution.known_of(release, now)
        self.outermost = touched.inside(tree.nodes[0].doc, self.inputs, {}, self.around)
        self.due = {one.path: one.due_at for one in planned_dates(release)}
        self.names: dict[str, None] = {}
        self.runs: dict[Key, PhaseRun | ActivityRun] = {}
        self.runs |= {Key(run.node, run.items): run for run in PhaseRun.objects.filter(release=release)}
        self.runs |= {Key(run.node, run.items): run for run in self._activities()}
        self.tasks: dict[int, list[TaskRun]] = {}
        for task in TaskRun.objects.filter(activity_run__release=release).order_by("position"):
            self.tasks.setdefault(task.activity_run_id, []).append(task)
        self.signed: dict[int, list[SignOff]] = {}
        for sign in SignOff.objects.filter(activity_run__release=release, void_at=None).defer("signed"):
            self.signed.setdefault(sign.activity_run_id, []).append(sign)

    def _activities(self) -> Iterable[ActivityRun]:
        return ActivityRun.objects.filter(release=self.release).defer("work", "changed_inputs")

    def entries(self, keys: Sequence[Key], outer: Mapping[str, Any], above: str) -> list[Entry]:
        """Return the entries of siblings that see `outer`."""
        return [self._entry(key, outer, f"{above}{number}") for number, key in enumerate(keys, start=1)]

    def _entry(self, key: Key, outer: Mapping[str, Any], number: str) -> Entry:
        node, run = self.tree[key], self.runs.get(key)
        doc = node.doc
        if isinstance(run, ActivityRun) and run.item is not None:
            outer = {**outer, "item": run.item, "index": int(key.items.rpartition(".")[2])}
        entry = Entry(number, node, str(doc["name"]), run.state if run else "pending", list(doc["owners"]), [])
        entry.after = [str(self.tree.nodes[need].doc["name"]) for need in node.needs]
        entry.due_at = run.due_at if run else self.due.get(str(doc["path"]))
        own = self._inputs(node, run, outer)
        entry.inputs = _masked(doc["inputs"], values_of(doc["inputs"], own, run.sources if run else {}))
        self.names |= dict.fromkeys(entry.owners)
        if run is not None:
            entry.outputs, entry.error = run.outputs, run.error
            entry.started_at, entry.finished_at = run.started_at, run.finished_at
        if isinstance(run, ActivityRun) and run.item is not None:
            entry.name = f"{entry.name}: {run.item}"[:200]
        self._how(entry, {**outer, "activity": {"inputs": typed_inputs.typed(doc["inputs"], own)}}, run)
        count = run.item_count if isinstance(run, ActivityRun) else 0
        within = touched.inside(doc, own, outer, self.around)
        entry.inside = self.entries(self.tree.children(key, count), within, f"{number}.") if node.is_container else []
        return entry

    def _inputs(self, node: Node, run: PhaseRun | ActivityRun | None, outer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a run's own inputs, or what it would get as far as that can be read."""
        if run is not None and run.inputs:
            return dict(run.inputs)
        return {**node.doc["with"], **touched.inputs_of(node.doc, outer, self.given)}

    def _how(self, entry: Entry, known: Mapping[str, Any], run: PhaseRun | ActivityRun | None) -> None:
        """Write how an activity is done."""
        spec, kind = entry.node.doc["spec"], entry.node.kind
        if entry.node.doc["when"]:
            entry.about.append(("only if", entry.node.doc["when"]))
        if kind == "manual":
            self._by_people(entry, spec, known, run)
        elif kind in ("automated", "signal", "wait", "for_each"):
            shown = {"for each": spec["items"]} if kind == "for_each" else spec
            entry.about += [(name, _read(value, known)) for name, value in shown.items() if value is not None]

    def _by_people(
        self, entry: Entry, spec: Mapping[str, Any], known: Mapping[str, Any], run: PhaseRun | ActivityRun | None
    ) -> None:
        entry.instructions = str(_read(spec.get("instructions") or "", known))
        entry.form = list(spec.get("form") or {})
        entry.rules = [_read(rule, known) for rule in (spec.get("approval") or {}).get("rules") or ()]
        entry.tasks = [{**task, "done_at": None} for task in spec.get("tasks") or ()]
        if isinstance(run, ActivityRun) and (done := self.tasks.get(run.pk)):
            entry.tasks = [_task(task) for task in done if task.attempt == run.attempt]
            entry.signed = [sign for sign in self.signed.get(run.pk, ()) if sign.attempt == run.attempt]
        elif isinstance(run, ActivityRun):
            entry.signed = [sign for sign in self.signed.get(run.pk, ()) if sign.attempt == run.attempt]
        named = [name for rule in entry.rules for name in assignees.names_of_rule(dict(rule))]
        named += [name for task in entry.tasks for name in task["groups"]]
        self.names |= dict.fromkeys(named)


def _task(task: TaskRun) -> Mapping[str, Any]:
    return {
        "name": task.name,
        "groups": task.groups,
        "required": task.required,
        "done_at": task.done_at,
        "done_by": task.done_by_name,
    }


def _read(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a value with its expressions filled in, each part of a mapping as far as it can be read."""
    if isinstance(value, Mapping) and set(value) != {"secret"}:
        return {name: _read(inner, known) for name, inner in value.items()}
    try:
        return expressions.evaluate(value, known)
    except ExpressionFailed:
        return value


def _masked(declarations: Mapping[str, Mapping[str, Any]], values: list[Value]) -> list[Value]:
    """Return values in which no secret is more than a name, however it was given."""
    for value in values:
        is_named = isinstance(value.value, Mapping) and set(value.value) == {"secret"}
        is_open = isinstance(value.value, str) and "${{" in value.value
        if value.type == "secret" and value.value is not None and not is_named and not is_open:
            value.value = _HIDDEN
    return [value for value in values if value.name in declarations]


def _contacts(release: Release, names: Iterable[str]) -> list[Contact]:
    """Return the people behind names, in two queries."""
    split = {name: assignees.split(str(name)) for name in names}
    filled = {row.role: row.user_id for row in release.roles.all()}
    groups = {rest for kind, rest in split.values() if kind == "group"}
    users = {rest for kind, rest in split.values() if kind == "user"}
    wanted = Q(groups__name__in=groups) | Q(username__in=users) | Q(pk__in=filled.values())
    columns = ("pk", "username", "first_name", "last_name", "email", "groups__name")
    behind: dict[tuple[str, Any], dict[str, str]] = {}
    for pk, username, first, last, email, group in User.objects.filter(wanted, is_active=True).values_list(*columns):
        called = f"{first} {last}".strip() or username
        for place in (("group", group), ("user", username), ("pk", pk)):
            behind.setdefault(place, {})[called] = email
    places = {
        name: ("pk", filled.get(rest)) if kind == "role" else (kind, rest) for name, (kind, rest) in split.items()
    }
    found = {f"{split[name][0]}:{split[name][1]}": behind.get(place, {}) for name, place in places.items()}
    found |= {f"role:{role}": behind.get(("pk", pk), {}) for role, pk in filled.items()}
    return [Contact(name, sorted(people.items())[:MOST_PEOPLE]) for name, people in sorted(found.items())]
