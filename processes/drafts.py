"""A process draft as rows and as a document, both ways without loss.

What has a column is written there; every other key stays in the row's `body`, spelled as in the document. An empty
value that the document spells out (`depends_on: []`) stays in `body` too, so that the document comes back equal; as
soon as the column has a value, the column wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from django.db.models import Prefetch, QuerySet

from activities.models import Activity
from config.errors import Fault, InvalidInput
from processes import blueprint
from processes.document import canonical
from processes.levels import activities_in
from processes.models import Phase, PhaseActivity, Process
from processes.schema_words import did_you_mean

Document = Mapping[str, Any]
Row = TypeVar("Row", Phase, PhaseActivity)
LISTS = ("owners", "depends_on")


def with_rows(processes: QuerySet[Process]) -> QuerySet[Process]:
    """The processes with everything `compose` reads, in two queries more, however many they are."""
    activities = PhaseActivity.objects.select_related("activity", "subprocess")
    phases = Phase.objects.prefetch_related(Prefetch("activities", queryset=activities))
    return processes.prefetch_related(Prefetch("phases", queryset=phases))


def load(process: Process) -> dict[str, Any]:
    """The document of a process draft as it is in the database now, in three queries."""
    return compose(with_rows(Process.objects.filter(pk=process.pk)).get())


def compose(process: Process) -> dict[str, Any]:
    """The document of a process draft; without queries on a process that `with_rows` has read."""
    document = {"kind": "Process", "id": process.slug, **_keys(process, "name", "description")}
    document["phases"] = [_phase_document(phase) for phase in process.phases.all()]
    return document


def decompose(process: Process, document: Document) -> None:
    """Writes a document (its structure must be right) into the draft's rows; rows that say so already are not touched.

    Phases and activities keep their rows as long as they keep their ids (an activity: within its phase). The process
    itself is changed but not saved. Raises InvalidInput naming every id given twice and every reference to nothing.
    """
    found = _References(document)
    faults = [*_repeated(document), *found.faults()]
    if faults:
        raise InvalidInput(faults)
    _set(process, _columns(document, "name", "description", without=("kind", "id", "phases")))
    present = Phase.objects.filter(process=process).prefetch_related("activities")
    phases = _match(present, document["phases"], _phase_columns, partial(Phase, process=process))
    for phase, one in zip(phases, document["phases"], strict=True):
        activities = phase.activities.all()
        _match(activities, one.get("activities", ()), found.columns, partial(PhaseActivity, phase=phase))


class _References:
    """The store activities and processes that a document refers to, by id."""

    def __init__(self, document: Document) -> None:
        self.document = document
        named = {_slug(blueprint.store_reference(one)) for one in activities_in(document)}
        called = {_slug(blueprint.process_reference(one)) for one in activities_in(document)}
        self.activities = dict(Activity.objects.filter(slug__in=named).values_list("slug", "pk"))
        self.processes = dict(Process.objects.filter(slug__in=called).values_list("slug", "pk"))

    def faults(self) -> Iterator[Fault]:
        for place, one in _places(self.document):
            named, called = _slug(blueprint.store_reference(one)), _slug(blueprint.process_reference(one))
            if named and called:
                yield Fault(place, "The activity has 'activity' and 'subprocess'; it can only be one.", "Keep one.")
            if named and named not in self.activities:
                yield _missing(f"{place}.activity", "store activity", named, _ids(Activity.objects.all()))
            if called and called not in self.processes:
                inside = ".process" if isinstance(one["subprocess"], Mapping) else ""
                yield _missing(f"{place}.subprocess{inside}", "process", called, _ids(Process.objects.all()))

    def columns(self, document: Document) -> dict[str, Any]:
        """The columns of an activity's row."""
        columns = _columns(document, "name", "depends_on", without=("id", "activity", "subprocess"))
        activity, activity_pin = blueprint.split_pin(blueprint.store_reference(document) or "")
        process, process_pin = blueprint.split_pin(blueprint.process_reference(document) or "")
        given = document.get("subprocess")
        if isinstance(given, Mapping):
            columns["body"]["subprocess"] = {key: value for key, value in given.items() if key != "process"}
        columns.update(activity_id=self.activities.get(activity), subprocess_id=self.processes.get(process))
        return {**columns, "pinned_revision": activity_pin or process_pin}


def _places(document: Document) -> Iterator[tuple[str, Document]]:
    for p, phase in enumerate(document["phases"]):
        for a, activity in enumerate(phase.get("activities", ())):
            yield f"phases[{p}].activities[{a}]", activity


def _missing(place: str, what: str, name: str, known: Iterable[str]) -> Fault:
    return Fault(place, f"There is no {what} '{name}'.", did_you_mean(name, known, f"Apply the {what} first."))


def _ids(rows: QuerySet[Any]) -> list[str]:
    return list(rows.values_list("slug", flat=True))


def _repeated(document: Document) -> Iterator[Fault]:
    yield from _twice("phase", "phases", document["phases"])
    for p, phase in enumerate(document["phases"]):
        yield from _twice("activity", f"phases[{p}].activities", phase.get("activities", ()))


def _twice(what: str, place: str, items: Sequence[Document]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item["id"] in seen:
            yield Fault(f"{place}[{index}].id", f"There is already a {what} '{item['id']}'.", "Choose another id.")
        seen.add(item["id"])


def _slug(reference: str | None) -> str:
    return blueprint.split_pin(reference)[0] if reference else ""


def _match(
    present: QuerySet[Row],
    documents: Sequence[Document],
    columns: Callable[[Document], dict[str, Any]],
    new: Callable[..., Row],
) -> list[Row]:
    """Makes the rows those of the documents, in their order: changes, adds and deletes as few as needed."""
    rows = {row.slug: row for row in present}
    wanted = {document["id"] for document in documents}
    gone = [row.pk for slug, row in rows.items() if slug not in wanted]
    if gone:
        present.model._default_manager.filter(pk__in=gone).delete()
    matched: list[Row] = []
    for position, document in enumerate(documents):
        row = rows.get(document["id"]) or new(slug=document["id"])
        if _set(row, {**columns(document), "position": position}) or row.pk is None:
            row.save()
        matched.append(row)
    return matched


def _set(row: Process | Phase | PhaseActivity, columns: Mapping[str, Any]) -> bool:
    """Sets the columns; whether any of them was different."""
    differing = {name: value for name, value in columns.items() if canonical(getattr(row, name)) != canonical(value)}
    for name, value in differing.items():
        setattr(row, name, value)
    return bool(differing)


def _columns(document: Document, *names: str, without: Sequence[str]) -> dict[str, Any]:
    """The columns of these names, and the body: all other keys, with those of columns whose value is empty."""
    columns = {name: document.get(name) or ([] if name in LISTS else "") for name in names}
    return {**columns, "body": {key: document[key] for key in document if key not in without and not columns.get(key)}}


def _phase_columns(document: Document) -> dict[str, Any]:
    without = ("id", "activities") if document.get("activities") else ("id",)
    return _columns(document, "name", "owners", "depends_on", without=without)


def _keys(row: Process | Phase | PhaseActivity, *names: str) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in names}
    return {**row.body, **{name: value for name, value in columns.items() if value}}


def _phase_document(phase: Phase) -> dict[str, Any]:
    document = {"id": phase.slug, **_keys(phase, "name", "owners", "depends_on")}
    activities = [_activity_document(activity) for activity in phase.activities.all()]
    if activities:
        document["activities"] = activities
    return document


def _activity_document(row: PhaseActivity) -> dict[str, Any]:
    document = {"id": row.slug, **_keys(row, "name", "depends_on")}
    pin = f"@{row.pinned_revision}" if row.pinned_revision else ""
    if row.activity is not None:
        document["activity"] = f"{row.activity.slug}{pin}"
    if row.subprocess is not None:
        called, inside = f"{row.subprocess.slug}{pin}", row.body.get("subprocess")
        document["subprocess"] = called if inside is None else {"process": called, **inside}
    return document
