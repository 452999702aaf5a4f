"""Several people apply and publish the same at once, each on a connection of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from config.errors import Conflict
from config.models import Event
from processes.models import Phase, Process, ProcessRevision
from processes.services import apply, publish_process, save_process

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PEOPLE = 4


def test_a_process_applied_by_all_at_once_is_made_once() -> None:
    results = _at_once(lambda _: apply(None, _text("one"), now=NOW)[0].result)

    assert sorted(results) == ["created", "unchanged", "unchanged", "unchanged"]
    assert Phase.objects.count() == 1
    assert Event.objects.filter(verb="process.drafted").count() == 1


def test_files_that_name_the_same_processes_in_other_orders_wait_for_each_other() -> None:
    apply(None, f"{_text('one')}---\n{_text('two')}", now=NOW)

    def edit(person: int) -> list[str]:
        texts = [_text(slug, f"Person {person}.") for slug in ("one", "two")]
        return [done.result for done in apply(None, "---\n".join(texts[:: 1 if person % 2 else -1]), now=NOW)]

    assert _at_once(edit) == [["changed", "changed"]] * PEOPLE
    assert set(Process.objects.values_list("version", flat=True)) == {1 + PEOPLE}


def test_a_draft_published_by_all_at_once_is_one_revision() -> None:
    apply(None, _text("one"), now=NOW)
    process = Process.objects.get()

    made = _at_once(lambda _: publish_process(None, process, now=NOW))

    assert {one.revision.number for one in made} == {1}
    assert sorted(one.is_new for one in made) == [False, False, False, True]
    assert ProcessRevision.objects.count() == 1


def test_of_several_edits_of_one_version_the_first_wins_and_the_others_are_stale() -> None:
    process, _ = save_process(None, _document("one", "Do it."), now=NOW)

    def edit(person: int) -> str:
        try:
            return save_process(None, _document("one", f"Person {person}."), now=NOW, expected_version=1)[1]
        except Conflict as error:
            return error.code

    assert sorted(_at_once(edit)) == ["changed", "stale", "stale", "stale"]
    process.refresh_from_db()
    assert process.version == 2


def _at_once(work: Callable[[int], Any]) -> list[Any]:
    gate = Barrier(PEOPLE)

    def run(person: int) -> Any:
        gate.wait(timeout=10)
        try:
            return work(person)
        finally:
            connection.close()

    with ThreadPoolExecutor(PEOPLE) as pool:
        return list(pool.map(run, range(PEOPLE)))


def _text(slug: str, instructions: str = "Do it.") -> str:
    phase = f"{{id: only, name: Only, activities: [{{id: do, manual: {{instructions: {instructions}}}}}]}}"
    return f"kind: Process\nid: {slug}\nname: {slug}\nphases:\n  - {phase}\n"


def _document(slug: str, instructions: str) -> dict[str, Any]:
    activity = {"id": "do", "manual": {"instructions": instructions}}
    phases = [{"id": "only", "name": "Only", "activities": [activity]}]
    return {"kind": "Process", "id": slug, "name": slug, "phases": phases}
