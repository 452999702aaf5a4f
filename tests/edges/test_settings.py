"""One's own settings: the zone moments are shown in, and tokens for the REST API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from config.models import ApiToken, Event, Preference
from tests.edges.calls import Caller
from tests.edges.pages import Reader

pytestmark = pytest.mark.django_db
TOKENS = "/settings/tokens/"


def test_the_zone_one_chooses_is_kept_and_shown_on_every_page(owner: User, stranger: User) -> None:
    reader = Reader(owner)
    reader.client.cookies["zone"] = "Asia/Tokyo"
    assert "JST" in reader.open("/settings/")
    assert "Saved." in reader.send("/settings/", zone="Europe/Berlin")
    assert "CE" in reader.open("/settings/").partition("It is now")[2][:40]
    assert "Europe/Berlin" in reader.source
    assert "JST" in reader.send("/settings/", zone="")
    assert [one.verb for one in Event.objects.filter(subject_type="preference")] == ["preference.changed"] * 2
    assert not Preference.objects.filter(user=stranger).exists()


def test_a_zone_that_does_not_exist_is_told_and_what_was_typed_is_kept(owner: User) -> None:
    reader = Reader(owner)
    text = reader.send("/settings/", zone="Mars/Olympus")
    assert (reader.status, "There is no time zone 'Mars/Olympus'." in text) == (400, True)
    assert 'value="Mars/Olympus"' in reader.source
    assert Caller(owner).patch("preferences/", {"zone": "../etc/passwd"}).paths == {"zone"}
    assert not Preference.objects.exists()


def test_preferences_are_changed_through_the_api_each_by_itself(owner: User, stranger: User) -> None:
    caller = Caller(owner)
    assert caller.get("preferences/")["zone"] == ""
    assert caller.patch("preferences/", {"zone": "Asia/Kathmandu"})["zone"] == "Asia/Kathmandu"
    assert caller.patch("preferences/", {})["zone"] == "Asia/Kathmandu"
    assert Caller(stranger).get("preferences/")["zone"] == ""
    assert caller.patch("preferences/", {"colour": "red"}).paths == {"colour"}


def test_a_token_is_made_shown_once_used_and_revoked(owner: User, stranger: User) -> None:
    reader = Reader(owner)
    text = reader.send(TOKENS, name="Deploy bot", scope="read", expires_on="2999-01-31", once="a")
    assert (reader.status, "it is not shown again" in text) == (201, True)
    key = reader.source.partition('id="key"')[2].partition('value="')[2].partition('"')[0]
    token = ApiToken.objects.get()
    assert (token.scopes, f"{token.expires_at:%Y-%m-%d}") == (["read"], "2999-02-01")
    assert key.startswith(token.prefix)
    text = reader.send(TOKENS, name="Deploy bot", scope="read", once="a")
    assert ("Deploy bot" in text, key in reader.source, ApiToken.objects.count()) == (True, False, 1)

    other = Reader(stranger)
    assert "Deploy bot" not in other.open(TOKENS)
    other.send(f"{TOKENS}{token.pk}/revoke/")
    assert (other.status, ApiToken.objects.count()) == (404, 1)
    assert "You have none yet" in reader.send(f"{TOKENS}{token.pk}/revoke/")


def test_everything_wrong_with_a_token_is_told_at_once(owner: User) -> None:
    reader = Reader(owner)
    text = reader.send(TOKENS, name=" ", scope="all", expires_on="soon")
    assert reader.status == 400
    for words in ("has a name", "not something a token may do", "'soon' is not a day"):
        assert words in text
    assert "This day has passed" in reader.send(TOKENS, name="x", scope="read", expires_on="2020-01-01")
    assert 'value="2020-01-01"' in reader.source
    assert not ApiToken.objects.exists()


def test_nobody_signed_in_is_sent_to_sign_in() -> None:
    reader = Reader()
    for address in ("/settings/", TOKENS):
        reader.open(address)
        assert (reader.status, reader.headers["Location"]) == (302, f"/sign-in/?next={address}")
