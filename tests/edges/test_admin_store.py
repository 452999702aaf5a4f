"""The activity store, connections, secrets and resources in the admin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm

from activities.models import Activity, Connection, Secret
from activities.secrets import reveal, set_secret
from config.models import Event
from processes.models import Resource
from processes.services import apply
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NEW = "kind: Activity\nid: pause\nname: Pause\ntype: wait\nwait: 1h\n"


@pytest.fixture
def desk(multi_service: None, author: User, groups: dict[str, Group]) -> Desk:
    """The author's."""
    return Desk(staff(author))


def activity(slug: str) -> Activity:
    return Activity.objects.get(slug=slug)


# The store


def test_an_author_makes_edits_and_publishes_a_store_activity(desk: Desk) -> None:
    desk.open("activities_activity_add").save(document=NEW)
    assert activity("pause").draft["wait"] == "1h"
    desk.open("activities_activity_change", activity("pause").pk).save(document=NEW.replace("1h", "2h"))
    assert activity("pause").draft["wait"] == "2h"
    desk.open("activities_activity_publish", activity("pause").pk).save(reason="First")

    assert "Revision 1 was published." in desk.text
    assert activity("pause").revisions.get().document["wait"] == "2h"
    told = Event.objects.filter(subject_type="activity", subject_name="Pause").values_list("verb", flat=True)
    assert list(told) == ["activity.created", "activity.changed", "activity.published"]


@pytest.mark.parametrize("slug", ["build-service", "sign-off"])
def test_saving_an_untouched_activity_changes_nothing(desk: Desk, slug: str) -> None:
    desk.open("activities_activity_change", activity(slug).pk).save()

    assert desk.first_status == 302
    assert activity(slug).version == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (NEW + "nonsense: 1\n", "nonsense: 'nonsense' is not a known key"),
        (NEW.replace("wait\n", "dance\n"), "type: 'type' must be one of"),
        (NEW.replace("pause", "No Slug"), "is not an id"),
        (NEW + "wait: 2h\n", "given twice"),
        (NEW.replace("Activity", "Process"), "This page edits an Activity"),
        ("kind: Activity", "'id' is missing"),
        ("", "This field is required"),
        (NEW.replace("pause", "sign-off"), "There is already one"),
        ("a: *b", "Write the value out"),
    ],
)
def test_a_faulty_document_is_told_and_kept(desk: Desk, typed: str, told: str) -> None:
    desk.open("activities_activity_add").save(document=typed)

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["document"].strip() == typed.strip()
    assert not Activity.objects.filter(slug="pause").exists()
    assert activity("sign-off").version == 1


def test_an_activity_keeps_its_id_and_a_late_editor_is_told(desk: Desk) -> None:
    form = desk.open("activities_activity_change", activity("sign-off").pk).form
    text = form["document"]
    desk.save(document=text.replace("id: sign-off", "id: other"))
    assert "cannot change" in desk.text
    desk.save(document=text.replace("name: Sign off", "name: First"))
    desk.open("activities_activity_change", activity("sign-off").pk)
    desk.send({**form, "document": text.replace("name: Sign off", "name: Second")})

    assert "edited meanwhile" in desk.text
    assert activity("sign-off").name == "First"


def test_a_faulty_draft_is_not_published(desk: Desk) -> None:
    wrong = "kind: Activity\nid: bad\nname: Bad\ntype: automated\nautomated: {connection: nowhere}\n"
    desk.open("activities_activity_add").save(document=wrong)
    desk.open("activities_activity_check_draft", activity("bad").pk)
    assert "nowhere" in desk.text
    desk.open("activities_activity_publish", activity("bad").pk).send({})

    assert desk.first_status == 400
    assert not activity("bad").revisions.exists()


@pytest.mark.parametrize(
    ("query", "found", "others"),
    [
        ("?q=flag", {"set-flag"}, {"sign-off"}),
        ("?kind=manual", {"sign-off"}, {"set-flag"}),
        ("?connection=local", {"set-flag", "run-tests"}, {"sign-off"}),
        ("?published=never", {"pause"}, {"sign-off"}),
        ("?published=changed", {"run-tests"}, {"sign-off", "pause"}),
        ("?published=same", {"sign-off"}, {"run-tests", "pause"}),
    ],
)
def test_the_store_is_searched_and_filtered(desk: Desk, query: str, found: set[str], others: set[str]) -> None:
    apply(None, NEW + "---\n" + "kind: Activity\nid: run-tests\nname: Changed\ntype: wait\nwait: 1h\n", now=NOW)
    page = desk.open(f"/admin/activities/activity/{query}").text

    assert all(f" {slug} " in page for slug in found - {"run-tests"}), page
    assert not any(f" {slug} " in page for slug in others)


def test_a_store_activity_in_use_stays_and_says_who_uses_it(desk: Desk) -> None:
    pk = activity("set-flag").pk
    assert "multi-service-release" in desk.open("activities_activity_used_by", pk).text
    assert "cannot be deleted" in desk.open("activities_activity_delete", pk).text
    desk.send({"post": "yes"})

    assert Activity.objects.filter(pk=pk).exists()


# Connections


def test_a_connection_is_made_and_changed(desk: Desk) -> None:
    set_secret(None, "ci-token", "s3cr3t", now=NOW)
    desk.open("activities_connection_add").save(
        slug="ci", name="CI", provider="local", settings='{"folder": "/srv"}', secret_name="ci-token", enabled="on"
    )
    assert desk.first_status == 302, desk.text
    made = Connection.objects.get(slug="ci")
    assert (made.settings, made.secret and made.secret.name) == ({"folder": "/srv"}, "ci-token")
    assert "s3cr3t" not in desk.open("activities_connection_change", made.pk).source

    desk.save(limits='{"concurrency": 2}', enabled=None)
    made.refresh_from_db()
    assert (made.limits, made.enabled) == ({"concurrency": 2}, False)
    verbs = Event.objects.filter(subject_name="CI").values_list("verb", flat=True)
    assert list(verbs) == ["connection.created", "connection.changed"]


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("settings", "{", "valid JSON"),
        ("settings", "[1]", "must be a mapping"),
        ("settings", '{"a": "\\u0000"}', "cannot be stored"),
        ("limits", '{"concurrency": "many"}', "limits.concurrency"),
        ("slug", "No Slug", "lower-case"),
        ("slug", "local", "already exists"),
        ("provider", "telepathy", "valid choice"),
        ("secret_name", "unknown", "valid choice"),
        ("name", "", "required"),
    ],
)
def test_a_faulty_connection_is_told_and_kept(desk: Desk, field: str, typed: str, told: str) -> None:
    fine = {"slug": "ci", "name": "CI", "provider": "local", "settings": "{}", "enabled": "on", "description": "Kept"}
    desk.open("activities_connection_add").save(**{**fine, field: typed})

    assert desk.status == 200
    assert told in desk.text
    assert desk.form["description"] == "Kept"
    assert not Connection.objects.filter(slug="ci").exists()


def test_a_connection_in_use_stays(desk: Desk) -> None:
    pk = Connection.objects.get(slug="local").pk
    assert "build-service" in desk.open("activities_connection_delete", pk).text
    desk.send({"post": "yes"})

    assert Connection.objects.filter(pk=pk).exists()


def test_somebody_with_one_connection_does_not_learn_which_secrets_there_are(desk: Desk, stranger: User) -> None:
    set_secret(None, "somebody-elses", "x", now=NOW)
    connection = Connection.objects.get(slug="local")
    for verb in ("view", "change"):
        assign_perm(f"{verb}_connection", stranger, connection)
    theirs = Desk(staff(stranger)).open("activities_connection_change", connection.pk)

    assert "somebody-elses" not in theirs.source
    theirs.save(name="Renamed")
    connection.refresh_from_db()
    assert connection.name == "Renamed"


# Secrets


def test_a_secret_is_set_and_never_shown(desk: Desk) -> None:
    desk.open("activities_secret_add").save(name="deploy-key", value="line 1\r\nline 2")
    secret = Secret.objects.get(name="deploy-key")

    assert reveal("deploy-key") == "line 1\nline 2"
    for page in (
        desk.open("activities_secret_change", secret.pk),
        desk.open("activities_secret_changelist"),
        desk.open("activities_secret_history", secret.pk),
    ):
        assert "line 1" not in page.source
    assert "line 1" not in str(list(Event.objects.values())) + str(list(LogEntry.objects.values()))
    assert secret.updated_by == User.objects.get(username="author")


def test_a_secret_keeps_its_value_when_none_is_typed_and_takes_a_new_one(desk: Desk) -> None:
    secret = set_secret(None, "key", "old", now=NOW)
    desk.open("activities_secret_change", secret.pk).save()
    assert reveal("key") == "old"
    desk.open("activities_secret_change", secret.pk).save(name="other", value="new")

    assert reveal("key") == "new"
    assert not Secret.objects.filter(name="other").exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("No Slug", "x", "Use 1 to 64 lower-case"), ("key", "", "Type the value"), ("taken", "x", "already a secret")],
)
def test_a_faulty_secret_is_told_and_its_value_not_sent_back(desk: Desk, name: str, value: str, told: str) -> None:
    set_secret(None, "taken", "first", now=NOW)
    desk.open("activities_secret_add").save(name=name, value=value and "my-very-secret")

    assert told in desk.text
    assert "my-very-secret" not in desk.source
    assert desk.form["name"] == name
    assert reveal("taken") == "first"


def test_a_secret_in_use_stays(desk: Desk) -> None:
    secret = set_secret(None, "demo-deploy-credential", "x", now=NOW)

    assert "InputSet 'production'" in desk.open("activities_secret_delete", secret.pk).text
    assert "InputSet 'production'" in desk.open("activities_secret_used_by", secret.pk).text
    desk.open("activities_secret_delete", secret.pk).send({"post": "yes"})
    assert Secret.objects.filter(pk=secret.pk).exists()


def test_who_may_only_look_at_secrets_sets_none(desk: Desk, stranger: User) -> None:
    secret = set_secret(None, "key", "old", now=NOW)
    theirs = Desk(staff(stranger, "activities.view_secret")).open("activities_secret_change", secret.pk)

    assert theirs.status == 200
    theirs.send({"name": "key", "value": "new"})
    assert theirs.status == 403
    assert theirs.open("activities_secret_add").status == 403
    assert reveal("key") == "old"


# Resources


def test_a_resource_is_made_changed_and_deleted(desk: Desk) -> None:
    desk.open("processes_resource_add").save(slug="search", name="Search", type="service")
    made = Resource.objects.get(slug="search")
    desk.open("processes_resource_change", made.pk).save(name="Search service", description="Finds things")
    desk.open("processes_resource_delete", made.pk).send({"post": "yes"})

    verbs = Event.objects.filter(subject_type="resource", actor_name="author").values_list("verb", flat=True)
    assert list(verbs) == ["resource.created", "resource.changed", "resource.deleted"]
    assert not Resource.objects.filter(slug="search").exists()


def test_a_resource_in_use_stays(desk: Desk) -> None:
    pk = Resource.objects.get(slug="cart").pk
    chosen = {"action": "delete_selected", "_selected_action": [pk], "index": "0"}
    desk.open("processes_resource_changelist").send(chosen)

    assert "multi-service-release" in desk.text
    assert Resource.objects.filter(pk=pk).exists()
