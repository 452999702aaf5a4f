"""The ways in which one signs in: accounts of the provider that are linked to one's own, and parting with them."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.models import Event
from tests.edges.pages import Reader

pytestmark = pytest.mark.django_db
PAGE = "/settings/sign-in/"
ACME, OLD = "https://login.example.org", "https://old.example.org"


@pytest.fixture(autouse=True)
def _provider(settings: Any) -> None:
    settings.OIDC_ISSUER, settings.OIDC_NAME, settings.OIDC_ADMIN_GROUP = ACME, "Acme", "captains"


def link(person: User, subject: str = "s-1", issuer: str = ACME, groups: tuple[str, ...] = ()) -> str:
    """Link an account; return where it is unlinked."""
    said = {"groups": list(groups)}
    made = SocialAccount.objects.create(user=person, provider=issuer, uid=subject, extra_data=said)
    return f"{PAGE}{made.pk}/unlink/"


def without_password(person: User) -> User:
    person.set_unusable_password()
    person.save()
    return person


def test_an_account_is_seen_and_unlinked_by_whoever_has_a_password(owner: User) -> None:
    address, reader = link(owner), Reader(owner)
    text = reader.open(PAGE)
    assert ("Acme s-1" in text, "with your password" in text) == (True, True)
    assert "Unlinked." in reader.send(address)
    assert reader.location == f"{PAGE}?unlinked=yes"
    assert "None. Signing in by single sign-on links one" in reader.text
    assert not SocialAccount.objects.exists()
    (event,) = Event.objects.filter(verb="user.unlinked")
    assert (event.actor_name, event.subject_name, event.before) == ("owner", "owner", {"issuer": ACME})


def test_the_only_way_to_sign_in_stays_with_a_reason(owner: User) -> None:
    address, reader = link(without_password(owner)), Reader(owner)
    assert "This is your only way to sign in" in reader.open(PAGE)
    assert reader.actions.isdisjoint({"unlink"})
    text = reader.send(address)
    assert (reader.status, "have an administrator give you a password first" in text) == (409, True)
    assert SocialAccount.objects.count() == 1


def test_one_of_two_goes_and_then_the_other_is_the_only_way(owner: User) -> None:
    first, second = link(without_password(owner)), link(owner, "s-2")
    reader = Reader(owner)
    assert "Unlinked." in reader.send(first)
    reader.send(second)
    assert (reader.status, SocialAccount.objects.get().uid) == (409, "s-2")


def test_an_account_of_another_issuer_opens_no_door_and_can_go(owner: User) -> None:
    used, old = link(without_password(owner)), link(owner, "s-1", OLD)
    reader = Reader(owner)
    assert "no longer used" in reader.open(PAGE)
    reader.send(used)
    assert reader.status == 409
    assert "Unlinked." in reader.send(old)
    assert SocialAccount.objects.get().provider == ACME


def test_what_the_provider_gave_goes_with_its_account(owner: User, groups: dict[str, Group]) -> None:
    owner.groups.set([groups["qa"], groups["security"], groups["devops"]])
    User.objects.update(is_superuser=True, is_staff=True)
    address = link(owner, groups=("qa", "devops", "captains"))
    link(owner, "s-2", groups=("devops",))
    reader = Reader(owner)
    assert "you leave: captains, qa " in reader.open(PAGE), "captains give the rights of the admin"
    reader.send(address)
    owner.refresh_from_db()
    assert sorted(owner.groups.values_list("name", flat=True)) == ["devops", "security"]
    assert (owner.is_superuser, owner.is_staff) == (False, False)


def test_a_stranger_sees_and_unlinks_nothing_of_somebody_else(owner: User, stranger: User) -> None:
    address, reader = link(owner), Reader(stranger)
    assert "s-1" not in reader.open(PAGE)
    reader.send(address)
    assert (reader.status, SocialAccount.objects.count()) == (404, 1)
    reader.open(address)
    assert reader.status == 405
    nobody = Reader()
    for asked in (nobody.open, nobody.send):
        asked(PAGE if asked == nobody.open else address)
        assert nobody.status == 302
    assert SocialAccount.objects.count() == 1


def test_a_form_of_another_site_is_refused(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post(link(owner)).status_code == 403
    assert SocialAccount.objects.count() == 1


def test_the_page_asks_the_same_number_of_questions_for_many(owner: User) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            Reader(owner).open(PAGE)
        return len(asked)

    link(owner, groups=("qa",))
    questions()
    few = questions()
    for number in range(2, 7):
        link(owner, f"s-{number}", groups=("qa",))
    assert questions() == few
