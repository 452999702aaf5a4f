"""Applying documents and giving them back: the one way in for `manage.py apply`, the API and the admin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from activities.models import Activity
from activities.services import publish_activity
from config.errors import Conflict, Fault, InvalidInput, NotFound
from config.trail import Actor
from processes import kinds
from processes.document import dump, load
from processes.models import Process
from processes.schema import placed, require_structure
from processes.services.publishing import publish_together
from processes.services.saving import announce

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one document: created, changed or unchanged; the number of its revision if it was published."""

    kind: str
    id: str
    result: str
    revision: int | None = None
    warnings: tuple[Fault, ...] = ()


def apply(
    actor: Actor,
    source: str | Sequence[Document],
    *,
    now: datetime,
    publish: bool = False,
    dry_run: bool = False,
) -> list[Applied]:
    """Makes the database say what the documents say; applied twice, the second time changes nothing.

    1. The text is read and the structure of all documents is checked.
    2. In one transaction all of them are saved as drafts, those first that others refer to.
    3. With `publish`, the store activities and then the processes among them are published where they differ.
    4. With `dry_run`, everything is taken back; the answer is what would have happened.

    Answers in the order of the documents. Raises InvalidInput with the faults of all documents (each path names its
    document when there are several), NotPermitted, Conflict; then nothing has changed.
    """
    documents = load(source) if isinstance(source, str) else list(source)
    require_structure(documents)
    try:
        with transaction.atomic():
            done = _save(actor, documents, now=now)
            if publish:
                done = _publish(actor, documents, done, now=now)
            transaction.set_rollback(dry_run)
    except IntegrityError as error:
        raise Conflict("Somebody else applied the same documents just now; try again.") from error
    return done


def export(actor: Actor, chosen: Iterable[tuple[str, str]] | None = None) -> str:
    """The YAML text of the documents chosen by kind and id, or of all that `actor` may see, in the order of applying.

    Raises InvalidInput for an unknown kind, NotFound for what is not there or may not be seen.
    """
    wanted = None if chosen is None else list(chosen)
    return dump([document for kind in kinds.kinds() for document in _of(actor, kind, wanted)])


def _of(actor: Actor, kind: kinds.Kind, wanted: list[tuple[str, str]] | None) -> list[dict[str, Any]]:
    visible = kind.slugs(actor)
    if wanted is None:
        return [kind.export(slug) for slug in visible]
    slugs = [slug for name, slug in wanted if kinds.kind(name) is kind]
    for slug in slugs:
        if slug not in visible:
            raise NotFound(f"There is no {kind.name} '{slug}'.")
    return [kind.export(slug) for slug in slugs]


class _Faults:
    """Collects the faults of document after document; what a faulty one has written is taken back."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.are_several = len(documents) > 1
        self.found: list[Fault] = []

    @contextmanager
    def of(self, document: Document | None) -> Iterator[None]:
        """Notes the faults raised inside, named by the document; None when they are named already."""
        try:
            with transaction.atomic():
                yield
        except InvalidInput as error:
            named = document is not None and self.are_several
            self.found += placed(document or {}, error.faults) if named else error.faults

    def require(self) -> None:
        """Raises InvalidInput when anything was found."""
        if self.found:
            raise InvalidInput(self.found)


def _save(actor: Actor, documents: Sequence[Document], *, now: datetime) -> list[Applied]:
    """Saves all documents in the order of their kinds; what fails is tried again after the others of the same call."""
    announce(documents)
    done: dict[int, Applied] = {}
    order = {at: (kinds.kind(one["kind"]).order, one["id"]) for at, one in enumerate(documents)}
    waiting = sorted(order, key=lambda at: order[at])
    while waiting:
        faults, before = _Faults(documents), len(done)
        for at in waiting:
            document = documents[at]
            with faults.of(document):
                result = kinds.kind(document["kind"]).apply(actor, document, now=now)
                done[at] = Applied(document["kind"], document["id"], result)
        waiting = [at for at in waiting if at not in done]
        if len(done) == before:
            faults.require()
    return [done[at] for at in range(len(documents))]


def _publish(actor: Actor, documents: Sequence[Document], done: Sequence[Applied], *, now: datetime) -> list[Applied]:
    faults = _Faults(documents)
    published: dict[tuple[str, str], tuple[int, tuple[Fault, ...]]] = {}
    by_id = {(document["kind"], document["id"]): document for document in documents}
    for activity in Activity.objects.filter(slug__in=[slug for kind, slug in by_id if kind == "Activity"]):
        with faults.of(by_id["Activity", activity.slug]):
            published["Activity", activity.slug] = (publish_activity(actor, activity, now=now).number, ())
    processes = list(Process.objects.filter(slug__in=[slug for kind, slug in by_id if kind == "Process"]))
    with faults.of(None):
        made = publish_together(actor, processes, now=now, others=documents, labelled=faults.are_several)
        for process, publication in zip(processes, made, strict=True):
            published["Process", process.slug] = (publication.revision.number, publication.warnings)
    faults.require()
    return [_with_revision(one, *published.get((one.kind, one.id), (None, ()))) for one in done]


def _with_revision(one: Applied, revision: int | None, warnings: tuple[Fault, ...]) -> Applied:
    return replace(one, revision=revision, warnings=warnings)
