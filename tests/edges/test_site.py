"""What the site says around every answer, and about its health."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.conf import settings as site
from django.contrib import admin
from django.core.checks import run_checks
from django.test import Client
from pytest_django.fixtures import Settings


@pytest.mark.django_db
def test_the_site_is_alive_and_ready(client: Client) -> None:
    assert client.get("/health/alive").json() == {"status": "alive"}
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/alive", "/health/ready"])
def test_a_load_balancer_that_names_an_address_and_speaks_plain_http_is_answered(
    path: str, client: Client, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["releases.example.org"], True
    assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/", headers={"Host": "releases.example.org"}).status_code == 301
    assert client.get("/", headers={"Host": "10.0.0.7"}, secure=True).status_code == 400


def test_django_finds_nothing_wrong_with_the_site_and_every_page_of_its_admin() -> None:
    import_module(site.ROOT_URLCONF)
    assert admin.site._registry
    assert not [found for found in run_checks() if found.is_serious()]


@pytest.mark.django_db
def test_a_missing_broker_is_named_and_the_site_not_ready(client: Client, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "missing": ["broker"]})


def test_an_answer_carries_the_caller_s_request_id(client: Client) -> None:
    answer = client.get("/health/alive", headers={"X-Request-ID": "deploy-42.a_b"})
    assert answer["X-Request-ID"] == "deploy-42.a_b"


@pytest.mark.parametrize("given", ["", "short", "with space inside", "x" * 65, "<script>alert(1)</script>"])
def test_a_request_id_that_is_not_well_formed_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/health/alive", headers={"X-Request-ID": given})
    assert answer["X-Request-ID"] != given
    assert len(answer["X-Request-ID"]) == 32


def test_pages_may_run_only_the_site_s_own_scripts(client: Client) -> None:
    policy = client.get("/health/alive")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_the_admin_s_theme_gets_the_allowances_it_needs(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "frame-ancestors 'none'" in policy
