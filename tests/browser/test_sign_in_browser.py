"""Signing in by OpenID Connect in a real browser, at a real provider, under the content policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.browser.looks import look, look_at
from tests.oidc import provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_person_signs_in_declines_and_signs_out(
    live_server: LiveServer, page: Page, settings: Settings, tmp_path: Path
) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if live_server.url in said.location["url"] else None)
    with provider(tmp_path / "log") as idp:
        settings.OIDC_ISSUER, settings.OIDC_NAME = idp.issuer, "Acme"
        callback = f"{live_server.url}/sign-in/provider/callback/"
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = idp.register(callback)
        idp.claims("1", preferred_username="ann", given_name="Ann", groups=["captains"])
        settings.OIDC_ADMIN_GROUP = "captains"
        page.goto(f"{live_server.url}/releases/?q=spring")
        page.get_by_role("link", name="Sign in with Acme").click()
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_role("alert")).to_have_text("You have not been signed in: Acme says that you declined.")
        page.goto(f"{live_server.url}/releases/?q=spring")
        page.get_by_role("link", name="Sign in with Acme").click()
        page.get_by_placeholder("sub").fill("1")
        page.get_by_role("button", name="Authorize").click()
        expect(page).to_have_url(f"{live_server.url}/releases/?q=spring")
        page.goto("about:blank")  # a page that is open would ask for the sign-in itself, in the middle of the next step
        page.context.clear_cookies()
        page.goto(f"{live_server.url}/admin/")
        page.get_by_role("link", name="Sign in with Acme").click()
        page.get_by_role("button", name="1", exact=True).click()
        expect(page).to_have_url(f"{live_server.url}/admin/")
    assert User.objects.get().username == "ann"
    assert complaints == []


def test_the_sign_in_page_suits_everybody(live_server: LiveServer, screen: Page, settings: Settings) -> None:
    settings.OIDC_ISSUER, settings.OIDC_NAME = "http://127.0.0.1:1", "The directory of " + "W" * 40
    assert look_at(screen, f"{live_server.url}/sign-in/") == []
    screen.get_by_role("link", name="Sign in with").click()
    expect(screen.get_by_role("alert")).to_contain_text("cannot be reached now")
    assert look(screen) == []


def test_somebody_sees_the_accounts_that_are_theirs_and_unlinks_one(
    live_server: LiveServer, screen: Page, settings: Settings, owner: User
) -> None:
    settings.OIDC_ISSUER, settings.OIDC_NAME = "https://login.example.org", "The directory of " + "W" * 40
    old = "https://old.example.org/realms/" + "x" * 60
    for number, issuer in enumerate((settings.OIDC_ISSUER, settings.OIDC_ISSUER, old)):
        said = {"groups": ["qa"]}
        SocialAccount.objects.create(user=owner, provider=issuer, uid=f"{number}-" + "f" * 60, extra_data=said)
    owner.set_unusable_password()
    owner.save()
    client = Client()
    client.force_login(owner)
    session = client.cookies["sessionid"].value
    screen.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    screen.goto(f"{live_server.url}/settings/")
    screen.get_by_role("link", name="Sign-in", exact=True).click()
    assert look(screen) == []
    screen.get_by_role("button", name="Unlink The directory").first.click()
    expect(screen.get_by_role("status")).to_contain_text("Unlinked.")
    expect(screen.get_by_text("This is your only way to sign in")).to_be_visible()
    expect(screen.get_by_role("button", name="Unlink The directory")).to_have_count(0)
    assert look(screen) == []
