"""Commits and tickets attach to a release, from its activities' outputs or by those who operate it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from activities.runners import Outcome
from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from releases.models import Artifact, Change, Release
from releases.services import running
from releases.services.attaching import attach_artifact, attach_changes
from tests.builders import MONDAY, run_of, start, work
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

# build: compile (names commits and tickets) ──> ask (its form names tickets)
TEXT = """
id: process
phases:
  - id: p
    owners: [group:qa]
    activities:
      - {id: a, automated: {connection: scripted, pipeline: a}, outputs: {tickets: {type: list, items: object}}}
      - {id: b, depends_on: [a], manual: {form: {tickets: {type: text, required: true}}}}
"""


def names(release: Release) -> list[tuple[str, str]]:
    return sorted(release.changes.values_list("kind", "reference"))


def test_what_the_outputs_of_an_activity_name_is_recorded(engine: ScriptedRunner) -> None:
    outputs = {"commits": "a1 b2", "tickets": '[{"key": "SHOP-1", "summary": "Cart", "url": "https://x.org/SHOP-1"}]'}
    engine.script["a"] = [Outcome("succeeded", outputs=outputs)]
    release = start(TEXT)
    work(release)
    assert names(release) == [("commit", "a1"), ("commit", "b2"), ("ticket", "SHOP-1")]
    ticket = Change.objects.get(kind="ticket")
    assert (ticket.title, ticket.link, ticket.activity_run) == ("Cart", "https://x.org/SHOP-1", run_of(release, "p/a"))
    told = Event.objects.get(verb="changes.recorded")
    assert told.after == {"commits": ["a1", "b2"], "tickets": ["SHOP-1"]}
    assert (told.release_id, told.subject_name) == (release.pk, "p/a")


@pytest.mark.parametrize(
    "outputs",
    [
        {"commits": '[{"sha": "a\\u0000"}]'},
        {"commits": "x" * 201},
        {"commits": '[{"sha": "b2", "url": "javascript:alert(1)"}, "a1"]'},
        {"commits": '[{"title": "no reference"}]'},
    ],
)
def test_what_cannot_be_read_is_told_and_stops_nothing(engine: ScriptedRunner, outputs: dict[str, str]) -> None:
    engine.script["a"] = [Outcome("succeeded", outputs=outputs)]
    release = start(TEXT)
    work(release)
    assert run_of(release, "p/a").state == "succeeded"
    assert set(names(release)) <= {("commit", "a1")}
    assert "outputs.commits[0]" in Event.objects.get(verb="changes.unreadable").reason


def test_running_once_more_records_only_what_is_new(engine: ScriptedRunner, manager: User) -> None:
    engine.script["a"] = [Outcome("succeeded", outputs={"commits": text}) for text in ("a1", "a1 b2")]
    release = start(TEXT)
    work(release)
    running.restart_phase(manager, run_of(release, "p/a").phase, now=MONDAY, reason="again")
    work(release)
    assert names(release) == [("commit", "a1"), ("commit", "b2")]
    told = Event.objects.filter(verb="changes.recorded").order_by("pk").values_list("after", flat=True)
    assert list(told) == [{"commits": ["a1"]}, {"commits": ["b2"]}]


def test_attaching_says_what_is_new_and_twice_is_once(engine: ScriptedRunner, manager: User) -> None:
    release = start(TEXT)
    said = {"commits": [{"reference": "a1", "repository": "shop", "title": "Mend"}], "tickets": [{"reference": "T-1"}]}
    rows, added = attach_changes(manager, release, said, now=MONDAY)
    assert (len(rows), added) == (2, 2)
    said["commits"][0]["title"] = "Other"
    rows, added = attach_changes(manager, release, said, now=MONDAY)
    assert (len(rows), added, Change.objects.count()) == (2, 0, 2)
    assert Change.objects.get(kind="commit").title == "Mend"
    assert Event.objects.filter(verb="changes.recorded").count() == 1
    assert Change.objects.filter(added_by_name="manager").count() == 2


def test_every_fault_is_told_at_once_and_nothing_kept(engine: ScriptedRunner, manager: User) -> None:
    release = start(TEXT)
    said = {"commits": [{"reference": "a1"}, {"title": "x"}], "tickets": [{"reference": "T", "link": "ftp://x"}]}
    with pytest.raises(InvalidInput) as caught:
        attach_changes(manager, release, said, now=MONDAY)
    assert [fault.path for fault in caught.value.faults] == ["commits[1]", "tickets[0].link"]
    with pytest.raises(InvalidInput):
        attach_changes(manager, release, {}, now=MONDAY)
    assert not Change.objects.exists()


def test_an_artifact_is_attached_and_what_is_there_is_not_put_there_again(
    engine: ScriptedRunner, manager: User
) -> None:
    release = start(TEXT)
    first = {"name": "cart", "version": "1", "environment": "production"}
    for columns, is_new in ((first, True), (first, False), ({**first, "version": "2"}, True), (first, True)):
        assert attach_artifact(manager, release, columns, now=MONDAY)[1] is is_new
    assert list(Artifact.objects.order_by("pk").values_list("version", flat=True)) == ["1", "2", "1"]
    assert Event.objects.filter(verb="artifact.recorded").count() == 3
    with pytest.raises(InvalidInput) as caught:
        attach_artifact(manager, release, {"name": " ", "link": "javascript:x", "version": "v" * 201}, now=MONDAY)
    assert {fault.path for fault in caught.value.faults} == {"name", "link", "version"}


def test_an_aborted_release_is_sealed(engine: ScriptedRunner, manager: User) -> None:
    release = start(TEXT)
    running.abort_release(manager, release, now=MONDAY, reason="no")
    with pytest.raises(Conflict):
        attach_changes(manager, release, {"commits": [{"reference": "a1"}]}, now=MONDAY)
    with pytest.raises(Conflict):
        attach_artifact(manager, release, {"name": "cart"}, now=MONDAY)


def test_only_those_who_operate_the_release_attach(engine: ScriptedRunner, owner: User, stranger: User) -> None:
    release = start(TEXT)
    for person in (owner, stranger):
        with pytest.raises(NotPermitted):
            attach_changes(person, release, {"commits": [{"reference": "a1"}]}, now=MONDAY)
        with pytest.raises(NotPermitted):
            attach_artifact(person, release, {"name": "cart"}, now=MONDAY)
