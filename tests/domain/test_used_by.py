"""Who uses what, and that nothing in use is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import Model

from activities.models import Activity, Connection, Secret
from activities.services import delete_activity, delete_connection, delete_secret
from config.errors import Conflict, NotPermitted
from config.models import Event
from processes.models import InputSet, Process, Resource
from processes.services import apply, delete_input_set, delete_process, delete_resource, used_by
from releases.freeze_documents import delete_freeze
from releases.groups import delete_group
from releases.models import Freeze, Release, ReleaseGroup

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MULTI = (Path(__file__).parent.parent.parent / "docs" / "examples" / "multi-service-release.yaml").read_text()


@pytest.fixture
def multi(groups: dict[str, Group]) -> None:
    """The multi-service release, published."""
    apply(None, MULTI, now=NOW, publish=True)


def test_an_activity_is_used_at_places_of_drafts_and_in_revisions(multi: None) -> None:
    uses = {use.id: use for use in used_by(Activity.objects.get(slug="run-tests"))}

    assert uses["security-review"].places == ("scan.dependencies", "scan.containers")
    assert uses["multi-service-release"].places == ("validation.integration", "validation.end-to-end")
    assert uses["multi-service-release"].revisions == (1,)
    assert str(uses["multi-service-release"]) == (
        "Process 'multi-service-release' (validation.integration, validation.end-to-end; revision 1)"
    )


def test_what_a_draft_dropped_a_published_revision_still_uses(multi: None) -> None:
    apply(
        None, MULTI.replace("activity: run-tests, with: {suite: unit", "activity: sign-off, with: {what: unit"), now=NOW
    )
    apply(None, MULTI.replace("name: Scan", "name: Scans"), now=NOW, publish=True)

    uses = {use.id: use for use in used_by(Activity.objects.get(slug="run-tests"))}

    assert uses["security-review"].revisions == (1, 2)


@pytest.mark.parametrize(
    ("thing", "users"),
    [
        (lambda: Process.objects.get(slug="security-review"), ["Process multi-service-release"]),
        (
            lambda: Process.objects.get(slug="multi-service-release"),
            ["InputSet production", "ReleaseGroup weekly-train"],
        ),
        (lambda: InputSet.objects.get(), ["ReleaseGroup weekly-train"]),
        (lambda: Resource.objects.get(slug="cart"), ["Process multi-service-release"]),
        (
            lambda: Resource.objects.get(slug="production"),
            ["Process multi-service-release", "InputSet production", "Freeze year-end"],
        ),
        (
            lambda: Connection.objects.get(),
            [f"Activity {slug}" for slug in ("build-service", "deploy-service", "run-tests", "set-flag")],
        ),
    ],
)
def test_everything_that_uses_a_thing_is_listed(multi: None, thing: Callable[[], Model], users: list[str]) -> None:
    assert sorted(f"{use.kind} {use.id}" for use in used_by(thing())) == sorted(users)


def test_a_connection_and_a_secret_are_found_inside_processes_and_input_sets(multi: None) -> None:
    secret = Secret.objects.create(name="demo-deploy-credential", ciphertext=b"", updated_at=NOW)
    other = Secret.objects.create(name="demo-deploy", ciphertext=b"", updated_at=NOW)
    apply(
        None,
        "kind: Process\nid: inline\nname: Inline\nphases:\n  - {id: a, name: A, activities: [{id: b, automated: "
        "{connection: local, pipeline: x, command: [ls]}}]}\n",
        now=NOW,
    )

    assert [use.id for use in used_by(secret)] == ["production"]
    assert used_by(other) == []
    assert "inline" in {use.id for use in used_by(Connection.objects.get())}
    with pytest.raises(Conflict) as raised:
        delete_secret(None, secret, now=NOW)
    assert "InputSet 'production'" in raised.value.message


def test_a_word_that_only_looks_like_a_resource_is_no_use_of_it(multi: None) -> None:
    apply(None, "kind: Resource\nid: unit\nname: Unit\ntype: service\n", now=NOW)

    assert used_by(Resource.objects.get(slug="unit")) == []


def test_releases_use_their_process_and_group(multi: None) -> None:
    group = ReleaseGroup.objects.get()
    Release.objects.create(process=group.process, group=group, name="Train", version="1.1.0", created_at=NOW)

    for thing in (group, group.process):
        assert "Train 1.1.0" in {use.name for use in used_by(thing) if use.kind == "Release"}
    with pytest.raises(Conflict):
        delete_group(None, group, now=NOW)


def test_nothing_in_use_is_deleted_and_the_answer_names_who_uses_it(multi: None) -> None:
    refused: list[tuple[Callable[..., None], Model, str]] = [
        (delete_process, Process.objects.get(slug="security-review"), "Process 'multi-service-release'"),
        (delete_process, Process.objects.get(slug="multi-service-release"), "ReleaseGroup 'weekly-train'"),
        (delete_input_set, InputSet.objects.get(), "ReleaseGroup 'weekly-train'"),
        (delete_resource, Resource.objects.get(slug="production"), "Freeze 'year-end'"),
        (delete_activity, Activity.objects.get(slug="set-flag"), "Process 'multi-service-release'"),
        (delete_connection, Connection.objects.get(), "build-service"),
    ]
    for delete, thing, user in refused:
        with pytest.raises(Conflict) as raised:
            delete(None, thing, now=NOW)
        assert raised.value.code == "in_use"
        assert user in raised.value.message
        thing.refresh_from_db()


def test_what_nothing_uses_is_deleted_with_an_event(groups: dict[str, Group]) -> None:
    apply(None, MULTI, now=NOW)

    delete_freeze(None, Freeze.objects.get(), now=NOW)
    delete_group(None, ReleaseGroup.objects.get(), now=NOW)
    delete_input_set(None, InputSet.objects.get(), now=NOW)
    delete_process(None, Process.objects.get(slug="multi-service-release"), now=NOW)
    delete_resource(None, Resource.objects.get(slug="cart"), now=NOW)

    deleted = set(Event.objects.filter(verb__endswith=".deleted").values_list("verb", "subject_name"))
    assert ("process.deleted", "Multi-service release") in deleted
    assert len(deleted) == 5
    assert not Process.objects.filter(slug="multi-service-release").exists()


def test_a_process_that_calls_itself_can_still_be_deleted() -> None:
    phase = "{id: a, name: A, activities: [{id: b, subprocess: me}]}"
    apply(None, f"kind: Process\nid: me\nname: Me\nphases: [{phase}]\n", now=NOW)

    delete_process(None, Process.objects.get(), now=NOW)

    assert not Process.objects.exists()


def test_a_published_process_is_history_and_stays(groups: dict[str, Group]) -> None:
    apply(
        None,
        "kind: Process\nid: p\nname: P\nphases: [{id: a, name: A, activities: [{id: b, wait: 1h}]}]\n",
        now=NOW,
        publish=True,
    )

    with pytest.raises(Conflict) as raised:
        delete_process(None, Process.objects.get(), now=NOW)

    assert "published revision 1" in raised.value.message


def test_a_stranger_deletes_nothing(multi: None, stranger: User) -> None:
    refused: tuple[tuple[Callable[..., None], Model | None], ...] = (
        (delete_process, Process.objects.first()),
        (delete_input_set, InputSet.objects.first()),
        (delete_resource, Resource.objects.first()),
        (delete_group, ReleaseGroup.objects.first()),
        (delete_freeze, Freeze.objects.first()),
    )
    for delete, thing in refused:
        with pytest.raises(NotPermitted):
            delete(stranger, thing, now=NOW)
