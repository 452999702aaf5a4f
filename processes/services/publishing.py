"""Publishing: a draft becomes an immutable, numbered revision once nothing is wrong with it."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction

from activities import hooks
from activities.models import Activity
from config.errors import Fault, InvalidInput, NotFound
from config.permissions import require
from config.trail import Actor, actor_name, record
from processes import drafts
from processes.checks import check_process
from processes.diff import Change, diff
from processes.document import digest
from processes.levels import activity_references, process_references
from processes.models import ActivityUse, Process, ProcessRevision, SubprocessUse
from processes.schema import placed
from processes.store import DatabaseCatalogue

Document = Mapping[str, Any]


class Verdict(NamedTuple):
    """What the publish checks say about a draft: faults stop a publish, warnings do not."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


class Publication(NamedTuple):
    """The revision a publish ended with, whether it is new, and what the checks warn about."""

    revision: ProcessRevision
    is_new: bool
    warnings: tuple[Fault, ...]


def check_draft(process: Process) -> Verdict:
    """What publishing the draft now would say."""
    return check_document(drafts.load(process))


def check_document(document: Document, catalogue: DatabaseCatalogue | None = None) -> Verdict:
    """What publishing this process document would say; it need not be saved, but its structure must be right."""
    catalogue = catalogue or DatabaseCatalogue()
    catalogue.warm([document])
    report = check_process(document, catalogue)
    return Verdict(tuple(report.faults), tuple(report.warnings))


@transaction.atomic
def publish_process(actor: Actor, process: Process, *, now: datetime, reason: str = "") -> Publication:
    """Publishes the draft as the next revision; the latest one is the answer when the draft says the same.

    Raises NotPermitted, or InvalidInput with everything that is wrong with the draft.
    """
    return publish_together(actor, [process], now=now, reason=reason, labelled=False)[0]


@transaction.atomic
def publish_together(
    actor: Actor,
    processes: Sequence[Process],
    *,
    now: datetime,
    reason: str = "",
    others: Iterable[Document] = (),
    labelled: bool = True,
) -> list[Publication]:
    """Publishes several drafts, which may call each other, or none of them; answers in the order given.

    `others` are documents that count as published while checking. Raises NotPermitted, or InvalidInput with the faults
    of all drafts; with `labelled`, their paths name the process.
    """
    for process in processes:
        require(actor, "processes.publish_process", process)
    chosen = Process.objects.filter(pk__in=[process.pk for process in processes]).order_by("slug")
    held = list(chosen.select_for_update(no_key=True))
    documents = {one.slug: drafts.compose(one) for one in drafts.with_rows(chosen)}
    verdicts = _verdicts(documents, others, labelled=labelled)
    done: dict[str, Publication] = {}
    for process in _called_first(held, documents):
        revision, is_new = _write(actor, process, documents[process.slug], now=now, reason=reason)
        done[process.slug] = Publication(revision, is_new, verdicts[process.slug].warnings)
    return [done[process.slug] for process in processes]


def _verdicts(documents: Mapping[str, Document], others: Iterable[Document], *, labelled: bool) -> dict[str, Verdict]:
    catalogue = DatabaseCatalogue([*others, *documents.values()])
    verdicts = {slug: check_document(document, catalogue) for slug, document in documents.items()}
    faults: list[Fault] = []
    for slug, verdict in verdicts.items():
        faults += placed(documents[slug], verdict.faults) if labelled else verdict.faults
    if faults:
        raise InvalidInput(faults)
    return verdicts


def latest_revision(process: Process) -> ProcessRevision | None:
    """The revision that an unpinned reference means; None before the first."""
    return process.revisions.order_by("-number").first()


def draft_differs(process: Process) -> bool:
    """Whether the draft says something else than the latest revision, or was never published."""
    latest = latest_revision(process)
    return latest is None or latest.digest != digest(drafts.load(process))


def diff_revisions(process: Process, a: int | None, b: int | None) -> list[Change]:
    """What changed from revision `a` to revision `b`; None stands for the draft. Raises NotFound."""
    return diff(document_of(process, a), document_of(process, b))


def document_of(process: Process, number: int | None) -> dict[str, Any]:
    """The document of a revision; None stands for the draft. Raises NotFound."""
    if number is None:
        return drafts.load(process)
    revision = process.revisions.filter(number=number).first()
    if revision is None:
        raise NotFound(f"'{process.slug}' has no revision {number}.")
    document: dict[str, Any] = revision.document
    return document


def _called_first(processes: Sequence[Process], documents: Mapping[str, Document]) -> list[Process]:
    by_slug = {process.slug: process for process in processes}
    calls = {
        caller: [slug for slug, _ in process_references(document) if slug in by_slug]
        for caller, document in documents.items()
    }
    return [by_slug[slug] for slug in graphlib.TopologicalSorter(calls).static_order()]


def _write(
    actor: Actor, process: Process, document: Document, *, now: datetime, reason: str
) -> tuple[ProcessRevision, bool]:
    latest, fresh = latest_revision(process), digest(document)
    if latest is not None and latest.digest == fresh:
        return latest, False
    revision = ProcessRevision.objects.create(
        process=process,
        number=latest.number + 1 if latest else 1,
        document=document,
        digest=fresh,
        published_at=now,
        published_by=actor if isinstance(actor, User) else None,
        published_by_name=actor_name(actor),
    )
    named = Activity.objects.filter(slug__in={slug for slug, _ in activity_references(document)})
    called = Process.objects.filter(slug__in={slug for slug, _ in process_references(document)})
    ActivityUse.objects.bulk_create(ActivityUse(revision=revision, activity=one) for one in named)
    SubprocessUse.objects.bulk_create(SubprocessUse(revision=revision, process=one) for one in called)
    before = {"revision": latest.number, "digest": latest.digest} if latest else None
    after = {"revision": revision.number, "digest": fresh}
    record(actor, "process.published", process, before=before, after=after, reason=reason, now=now)
    hooks.tell(now)
    return revision, True
