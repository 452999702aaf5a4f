"""People, groups, tokens, the trail and permissions on single objects in the admin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, User
from guardian.shortcuts import assign_perm, get_perms

from config.models import ApiToken, Event
from config.tokens import create_token, find_token
from config.trail import record
from processes.models import Process
from releases.models import Release, ReleaseRole
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GRANTING = ("guardian.change_userobjectpermission", "guardian.change_groupobjectpermission")


@pytest.fixture
def process() -> Process:
    return Process.objects.create(slug="ship", name="Ship it")


def test_an_admin_shares_a_process_with_one_person_and_the_trail_says_so(
    admin: User, stranger: User, process: Process
) -> None:
    desk = Desk(admin)
    assert "Object permissions" in desk.open("processes_process_change", process.pk).text
    desk.open("processes_process_permissions", process.pk).send({"user": "stranger", "submit_manage_user": "1"})
    desk.send({"permissions": ["view_process", "change_process"]})

    assert set(get_perms(User.objects.get(pk=stranger.pk), process)) == {"view_process", "change_process"}
    told = Event.objects.get(verb="process.permissions_changed")
    assert told.before == {"user:stranger": []}
    assert told.after == {"user:stranger": ["change_process", "view_process"]}
    assert told.actor_name == "admin"


def test_an_admin_shares_a_process_with_a_group(admin: User, owner: User, process: Process) -> None:
    group = Group.objects.get(name="qa")
    Desk(admin).open("processes_process_permissions_manage_group", process.pk, group.pk).send(
        {"permissions": ["view_process"]}
    )

    assert Desk(staff(owner)).open("processes_process_change", process.pk).status == 200
    assert Event.objects.get(verb="process.permissions_changed").after == {"group:qa": ["view_process"]}


def test_an_author_gives_no_permissions_away(author: User, stranger: User, process: Process) -> None:
    desk = Desk(staff(author))
    assert "Object permissions" not in desk.open("processes_process_change", process.pk).text
    for name, keys in (
        ("permissions", ()),
        ("permissions_manage_user", (stranger.pk,)),
        ("permissions_manage_user", (author.pk,)),
    ):
        assert desk.open(f"processes_process_{name}", process.pk, *keys).status == 403
        assert desk.send({"permissions": ["publish_process"]}).status == 403

    assert get_perms(stranger, process) == []


def test_who_may_give_permissions_gives_them_on_what_they_may_change_only(stranger: User, process: Process) -> None:
    other = Process.objects.create(slug="other", name="Other")
    for verb in ("view", "change"):
        assign_perm(f"{verb}_process", stranger, process)
    desk = Desk(staff(stranger, *GRANTING))

    assert desk.open("processes_process_permissions", process.pk).status == 200
    assert desk.open("processes_process_permissions", other.pk).status == 404
    assert desk.open("processes_process_permissions_manage_user", other.pk, stranger.pk).status == 404


def test_an_admin_makes_a_person_and_the_trail_keeps_no_password(admin: User) -> None:
    desk = Desk(admin)
    desk.open("auth_user_add").save(
        username="ann", password1="correct horse battery", password2="correct horse battery", usable_password="true"
    )
    ann = User.objects.get(username="ann")
    desk.open("auth_user_change", ann.pk).save(first_name="Ann")

    assert ann.check_password("correct horse battery")
    told = Event.objects.filter(subject_type="user")
    assert list(told.values_list("verb", flat=True)) == ["user.created", "user.changed"]
    assert "correct horse" not in str(list(told.values()))


def test_only_a_superuser_gives_rights_or_changes_superusers(admin: User, stranger: User) -> None:
    clerk = staff(
        stranger, "auth.view_user", "auth.change_user", "auth.add_user", "auth.delete_user", "auth.view_group"
    )
    desk = Desk(clerk)
    desk.open("auth_user_change", clerk.pk).save(
        first_name="Clerk", is_superuser="on", user_permissions=["1"], groups=["1"]
    )
    clerk.refresh_from_db()

    assert (clerk.first_name, clerk.is_superuser) == ("Clerk", False)
    assert clerk.user_permissions.count() == 5
    desk.open("auth_user_change", admin.pk).send({"username": "mine"})
    assert desk.status == 403
    assert desk.open("auth_user_password_change", admin.pk).status == 403
    assert desk.open("auth_user_delete", admin.pk).status == 403
    chosen = {"action": "delete_selected", "_selected_action": [admin.pk], "post": "yes"}
    desk.open("auth_user_changelist").send(chosen)
    assert User.objects.filter(pk=admin.pk).exists()


def test_a_person_who_fills_a_role_is_kept(admin: User, stranger: User, process: Process) -> None:
    release = Release.objects.create(process=process, name="Spring", created_at=NOW)
    ReleaseRole.objects.create(release=release, role="lead", user=stranger)
    desk = Desk(admin).open("auth_user_delete", stranger.pk)

    assert "is used by" in desk.text
    desk.send({"post": "yes"})
    assert User.objects.filter(pk=stranger.pk).exists()


def test_a_group_is_made_and_counted(admin: User, owner: User) -> None:
    desk = Desk(admin)
    desk.open("auth_group_add").save(name="auditors")
    assert Event.objects.get(subject_type="group").verb == "group.created"
    assert "auditors" in desk.open("auth_group_changelist").text


def test_everybody_sees_and_revokes_their_own_tokens(stranger: User, admin: User) -> None:
    mine, key = create_token(stranger, name="laptop", scopes=["read"], now=NOW)
    theirs, _ = create_token(admin, name="server", scopes=["read"], now=NOW)
    desk = Desk(staff(stranger)).open("config_apitoken_changelist")

    assert "laptop" in desk.text
    assert "server" not in desk.text
    assert key not in desk.source
    desk.open("config_apitoken_delete", mine.pk).send({"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"}
    desk.open("config_apitoken_changelist").send(chosen)
    assert list(ApiToken.objects.all()) == [theirs]
    assert Event.objects.filter(verb="token.revoked").count() == 1


def test_the_trail_is_searched_by_those_who_may_see_it(stranger: User, process: Process) -> None:
    record(stranger, "process.changed", process, reason="Because", now=NOW)
    record(None, "release.started", process, now=NOW)
    desk = Desk(staff(stranger, "config.view_event"))

    page = desk.open("/admin/config/event/?q=process.changed").text
    assert "Because" in page
    assert "release.started" not in page
    assert desk.open("config_event_change", Event.objects.latest("pk").pk).status == 200
    assert desk.send({"verb": "nothing.happened"}).status == 403
    assert desk.open("/admin/config/event/?subject=process").text.count("process.changed") == 1


def test_the_sidebar_names_only_what_somebody_may_open(author: User, stranger: User) -> None:
    page = Desk(staff(author)).open("/admin/").source
    assert "/admin/processes/process/" in page
    assert "/admin/auth/user/" not in page
    assert "/admin/processes/process/" not in Desk(staff(stranger)).open("/admin/").source


def test_an_administrator_finds_and_revokes_the_tokens_of_somebody_else(admin: User, stranger: User) -> None:
    token, key = create_token(stranger, name="laptop", scopes=["read"], now=NOW)
    create_token(admin, name="server", scopes=["read"], now=NOW)
    desk = Desk(admin).open("auth_user_change", stranger.pk)
    assert "1 of this person" in desk.text
    desk.open(f"/admin/config/apitoken/?user__id__exact={stranger.pk}")
    assert ("laptop" in desk.text, "server" in desk.text, "stranger" in desk.text) == (True, False, True)
    for source in (desk.source, desk.open("config_apitoken_change", token.pk).source):
        assert key not in source
        assert token.digest not in source
    desk.open("config_apitoken_delete", token.pk).send({"post": "yes"})
    assert find_token(key, now=NOW) is None
    told = Event.objects.get(verb="token.revoked")
    assert (told.actor_name, told.subject_name, told.before) == ("admin", str(token), {"user": "stranger"})


def test_who_may_only_view_tokens_revokes_none_of_others(stranger: User, admin: User) -> None:
    token, _ = create_token(admin, name="server", scopes=["read"], now=NOW)
    desk = Desk(staff(stranger, "config.view_apitoken"))
    assert "server" in desk.open("config_apitoken_changelist").text
    assert desk.open("config_apitoken_delete", token.pk).status == 403
    desk.open("config_apitoken_changelist").send({"action": "delete_selected", "_selected_action": [token.pk]})
    desk.client.post(f"/admin/config/apitoken/{token.pk}/delete/", {"post": "yes"})
    assert ApiToken.objects.filter(pk=token.pk).exists()
