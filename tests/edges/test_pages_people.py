"""Signing in and out, and the pages of what went wrong."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tests.edges.pages import Reader

pytestmark = pytest.mark.django_db


def test_whoever_is_not_signed_in_is_asked_to_and_comes_back(manager: User) -> None:
    reader = Reader()
    reader.open("/releases/?q=x")
    assert (reader.status, reader.headers["Location"]) == (302, "/sign-in/?next=/releases/%3Fq%3Dx")
    reader.send("/sign-in/", username="manager", password="secret", next="/releases/?q=x")
    assert reader.location == "/releases/?q=x"


def test_a_wrong_password_is_said_in_plain_words_and_the_name_is_kept(manager: User) -> None:
    reader = Reader()
    assert "The name or the password is wrong" in reader.send("/sign-in/", username="manager", password="no")
    assert 'value="manager"' in reader.source


def test_signing_in_never_leads_to_another_site(manager: User) -> None:
    reader = Reader()
    response = reader.client.post("/sign-in/?next=//evil.example/", {"username": "manager", "password": "secret"})
    assert response.headers["Location"] == "/"


def test_signing_out_takes_a_post(manager: User) -> None:
    reader = Reader(manager)
    reader.open("/sign-out/")
    assert reader.status == 405
    reader.send("/sign-out/")
    reader.open("/")
    assert reader.status == 302


def test_too_many_wrong_passwords_are_answered_with_how_long_to_wait(manager: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 2
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    reader = Reader()
    for _ in range(3):
        reader.send("/sign-in/", username="manager", password="no")
    assert reader.status == 429
    assert "quarter of an hour" in reader.text


def test_an_address_that_does_not_exist_says_so_in_the_site_s_own_look(manager: User) -> None:
    reader = Reader(manager)
    assert "Nothing here" in reader.open("/nowhere/")
    assert reader.status == 404
    assert reader.text.partition("Nothing here")[2].strip().endswith("Home")


def test_a_form_without_its_mark_of_the_site_changes_nothing(manager: User) -> None:
    reader = Reader(manager, enforce_csrf_checks=True)
    assert "This form has expired" in reader.send("/releases/new/?process=x", name="x")
    assert reader.status == 403


def test_the_chosen_look_is_in_the_page_before_any_script(client: Client) -> None:
    client.cookies["theme"] = "dark"
    assert b'data-theme="dark"' in client.get("/sign-in/").content
    client.cookies["theme"] = '"><script>'
    assert b"<script>" not in client.get("/sign-in/").content
