"""Connections and the Activity Store: applied, exported, published, and not deleted while they are used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import ProgrammingError, transaction
from guardian.shortcuts import assign_perm

from activities import hooks, secrets, services
from activities.models import Activity, ActivityRevision, Connection, Secret
from activities.runners import provider_paths
from config.errors import Conflict, Fault, InvalidInput, NotPermitted
from config.models import Event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CONNECTION: dict[str, Any] = {
    "kind": "Connection",
    "id": "jenkins",
    "name": "Build server",
    "provider": "local",
    "settings": {"grace": 2},
    "limits": {"parallel": 4},
    "secret": {"secret": "build-token"},
}
ACTIVITY: dict[str, Any] = {
    "kind": "Activity",
    "id": "build-service",
    "name": "Build one service",
    "type": "automated",
    "inputs": {"service": {"type": "service", "required": True}},
    "automated": {
        "connection": "jenkins",
        "pipeline": "build",
        "command": ["make"],
        "parameters": {"TOKEN": {"secret": "registry-token"}},
    },
}


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the store itself: what the apps above have registered is theirs to test."""
    for name, empty in (("_saving", {}), ("_publishing", {}), ("_finders", [])):
        monkeypatch.setattr(hooks, name, empty)


def allowed(name: str, *codenames: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="activities", codename__in=codenames))
    return user


@pytest.fixture
def author() -> User:
    """May edit and publish the store."""
    verbs = [f"{verb}_{what}" for verb in ("add", "change", "delete") for what in ("activity", "connection", "secret")]
    return allowed("author", "publish_activity", *verbs)


@pytest.fixture
def stranger() -> User:
    return allowed("stranger")


def applied(document: dict[str, Any] = ACTIVITY) -> Activity:
    services.apply_activity(None, document, now=NOW)
    return Activity.objects.get(slug=document["id"])


def connected(document: dict[str, Any] = CONNECTION) -> Connection:
    services.apply_connection(None, document, now=NOW)
    return Connection.objects.get(slug=document["id"])


def verbs() -> list[str]:
    return list(Event.objects.values_list("verb", flat=True))


# Connections ----------------------------------------------------------------------------------------------------------


def test_applying_a_connection_says_created_then_unchanged_then_changed(author: User) -> None:
    changed = CONNECTION | {"settings": {"grace": 9}}
    said = [services.apply_connection(author, document, now=NOW) for document in (CONNECTION, CONNECTION, changed)]
    assert said == ["created", "unchanged", "changed"]
    assert verbs() == ["connection.created", "connection.changed"]
    assert Event.objects.values_list("before__settings__grace", "after__settings__grace").last() == (2, 9)


@pytest.mark.parametrize(
    "document",
    [
        CONNECTION,
        CONNECTION | {"enabled": False, "description": "In the cellar"},
        {"kind": "Connection", "id": "local", "name": "Commands", "provider": "local"},
    ],
)
def test_a_connection_is_exported_as_it_was_applied(document: dict[str, Any]) -> None:
    assert services.export_connection(connected(document)) == document


def test_what_a_document_no_longer_says_goes_back_to_its_default() -> None:
    connected(CONNECTION | {"enabled": False})
    bare = {key: CONNECTION[key] for key in ("kind", "id", "name", "provider")}
    assert services.export_connection(connected(bare)) == bare


def test_a_secret_named_before_it_is_set_waits_for_its_value_and_one_set_before_keeps_it() -> None:
    connected()
    assert secrets.known_names(["build-token"]) == set()
    secrets.set_secret(None, "build-token", "value")
    connected(CONNECTION | {"name": "Renamed"})
    assert secrets.reveal("build-token") == "value"


def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as caught:
        services.apply_connection(None, CONNECTION | {"provider": "jenkyns"}, now=NOW)
    [fault] = caught.value.faults
    assert (fault.path, fault.cure) == ("provider", f"The known ones are: {', '.join(sorted(provider_paths()))}.")


# Store activities -----------------------------------------------------------------------------------------------------


def test_applying_an_activity_changes_its_draft_only(author: User) -> None:
    changed = ACTIVITY | {"name": "Build it", "description": "Well"}
    assert services.apply_activity(author, ACTIVITY, now=NOW) == "created"
    first = services.publish_activity(author, Activity.objects.get(), now=NOW)
    assert services.apply_activity(author, ACTIVITY, now=NOW) == "unchanged"
    assert services.apply_activity(author, changed, now=LATER) == "changed"
    activity = Activity.objects.get()
    assert (activity.name, activity.description, activity.kind, activity.version) == (
        "Build it",
        "Well",
        "automated",
        2,
    )
    first.refresh_from_db()
    assert first.document == ACTIVITY
    assert verbs() == ["activity.created", "activity.published", "activity.changed"]


def test_an_activity_is_exported_as_it_was_applied() -> None:
    assert services.export_activity(applied()) == ACTIVITY


def test_publishing_numbers_revisions_and_the_same_draft_gives_no_new_one(author: User) -> None:
    activity = applied()
    assert not services.is_published(activity)
    first = services.publish_activity(author, activity, now=NOW)
    again = services.publish_activity(author, activity, now=LATER)
    assert (first.number, again.pk, first.published_by_name) == (1, first.pk, "author")
    assert services.is_published(activity)
    services.save_draft(author, activity, document=ACTIVITY | {"name": "Other"}, now=LATER)
    assert not services.is_published(activity)
    second = services.publish_activity(author, activity, now=LATER, reason="renamed")
    assert (second.number, second.document["name"]) == (2, "Other")
    assert first.digest != second.digest
    events = Event.objects.filter(verb="activity.published")
    assert events.values_list("before__revision", "after__revision", "reason").last() == (1, 2, "renamed")


def test_going_back_to_an_older_draft_is_a_new_revision() -> None:
    activity = applied()
    first = services.publish_activity(None, activity, now=NOW)
    services.save_draft(None, activity, document=ACTIVITY | {"name": "Other"}, now=NOW)
    services.publish_activity(None, activity, now=NOW)
    services.save_draft(None, activity, document=ACTIVITY, now=NOW)
    third = services.publish_activity(None, activity, now=LATER)
    assert (third.number, third.digest) == (3, first.digest)


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    activity = applied()
    services.publish_activity(None, activity, now=NOW)
    turned = dict(reversed(ACTIVITY.items()))
    assert services.apply_activity(None, turned, now=NOW) == "unchanged"


def test_a_revision_cannot_be_changed() -> None:
    revision = services.publish_activity(None, applied(), now=NOW)
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        ActivityRevision.objects.filter(pk=revision.pk).update(digest="forged")


def test_an_edit_of_a_version_that_is_gone_is_a_conflict() -> None:
    activity = applied()
    services.save_draft(None, activity, document=ACTIVITY | {"name": "Mine"}, now=NOW, version=1)
    with pytest.raises(Conflict, match="version 2"):
        services.save_draft(None, activity, document=ACTIVITY | {"name": "Yours"}, now=NOW, version=1)
    assert Activity.objects.get().name == "Mine"


def test_an_id_cannot_change() -> None:
    with pytest.raises(InvalidInput, match="cannot change"):
        services.save_draft(None, applied(), document=ACTIVITY | {"id": "other"}, now=NOW)


# What the apps above add ----------------------------------------------------------------------------------------------


def test_registered_checks_refuse_a_draft_and_stricter_ones_a_publication() -> None:
    def nameless(document: Any) -> list[Fault]:
        return [] if document["name"] else [Fault("name", "It has no name.")]

    def unfinished(document: Any) -> list[Fault]:
        return [Fault("inputs", "Nothing is declared.")] if "inputs" not in document else []

    hooks.register_checks("Activity", saving=nameless, publishing=unfinished)
    with pytest.raises(InvalidInput, match="no name"):
        applied(ACTIVITY | {"name": ""})
    draft = applied({key: value for key, value in ACTIVITY.items() if key != "inputs"})
    with pytest.raises(InvalidInput, match="Nothing is declared"):
        services.publish_activity(None, draft, now=NOW)
    assert not ActivityRevision.objects.exists()


def test_what_another_app_uses_is_not_deleted(author: User) -> None:
    connection = connected()
    hooks.register_finder(lambda thing: [f"process 'p{n}'" for n in range(12)] if thing == connection else [])
    with pytest.raises(Conflict, match=r"used by process 'p0', .*process 'p9' and 2 more\.") as caught:
        services.delete_connection(author, connection, now=NOW)
    assert caught.value.code == "in_use"
    assert Connection.objects.exists()


# Deleting -------------------------------------------------------------------------------------------------------------


def test_a_connection_is_deleted_once_no_draft_and_no_revision_names_it(author: User) -> None:
    connection, activity = connected(), applied()
    assert services.used_by(connection) == ["store activity 'build-service'"]
    with pytest.raises(Conflict, match="store activity 'build-service'"):
        services.delete_connection(author, connection, now=NOW)
    assert "connection.deleted" not in verbs()
    services.delete_activity(author, activity, now=NOW)
    services.delete_connection(author, connection, now=NOW)
    assert not Connection.objects.exists()
    assert verbs()[-2:] == ["activity.deleted", "connection.deleted"]


def test_a_connection_named_only_by_a_revision_stays(author: User) -> None:
    connection, activity = connected(), applied()
    services.publish_activity(None, activity, now=NOW)
    elsewhere = ACTIVITY | {"automated": ACTIVITY["automated"] | {"connection": "local"}}
    services.save_draft(None, activity, document=elsewhere, now=NOW)
    with pytest.raises(Conflict):
        services.delete_connection(author, connection, now=NOW)


def test_a_published_activity_stays(author: User) -> None:
    activity = applied()
    services.publish_activity(author, activity, now=NOW)
    with pytest.raises(Conflict, match="activity revision 'build-service@1'"):
        services.delete_activity(author, activity, now=NOW)
    assert Activity.objects.exists()
    assert "activity.deleted" not in verbs()


def test_a_secret_named_by_a_connection_or_deep_in_a_document_stays(author: User) -> None:
    connected()
    applied()
    secrets.set_secret(None, "registry-token", "value")
    secrets.set_secret(None, "unused", "value")
    assert services.used_by(Secret.objects.get(name="build-token")) == ["connection 'jenkins'"]
    assert services.used_by(Secret.objects.get(name="registry-token")) == ["store activity 'build-service'"]
    for name in ("build-token", "registry-token"):
        with pytest.raises(Conflict):
            services.delete_secret(author, Secret.objects.get(name=name), now=NOW)
    services.delete_secret(author, Secret.objects.get(name="unused"), now=NOW)
    assert set(Secret.objects.values_list("name", flat=True)) == {"build-token", "registry-token"}


# A stranger -----------------------------------------------------------------------------------------------------------


def test_a_stranger_may_do_nothing_and_nothing_is_done(stranger: User) -> None:
    connection, activity = connected(), applied()
    secret = Secret.objects.get(name="build-token")
    before = len(verbs())
    other = ACTIVITY | {"id": "other"}
    attempts: list[Any] = [
        lambda: services.apply_connection(stranger, CONNECTION, now=NOW),
        lambda: services.apply_connection(stranger, CONNECTION | {"id": "other"}, now=NOW),
        lambda: services.apply_activity(stranger, ACTIVITY, now=NOW),
        lambda: services.apply_activity(stranger, other, now=NOW),
        lambda: services.save_draft(stranger, activity, document=other, now=NOW),
        lambda: services.publish_activity(stranger, activity, now=NOW),
        lambda: services.delete_connection(stranger, connection, now=NOW),
        lambda: services.delete_activity(stranger, activity, now=NOW),
        lambda: services.delete_secret(stranger, secret, now=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(NotPermitted):
            attempt()
    assert len(verbs()) == before
    assert [model.objects.count() for model in (Connection, Activity, Secret)] == [1, 1, 1]


def test_a_permission_on_one_activity_is_enough_for_it_and_not_for_another(stranger: User) -> None:
    mine, other = applied(), applied(ACTIVITY | {"id": "other"})
    assign_perm("publish_activity", stranger, mine)
    assert services.publish_activity(stranger, mine, now=NOW).number == 1
    with pytest.raises(NotPermitted):
        services.publish_activity(stranger, other, now=NOW)
