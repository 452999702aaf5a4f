"""The schema says what the API does: it has no gaps, and whatever it allows gets the answer it promises."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.tokens import create_token
from tests.edges.calls import Caller
from tests.edges.things import make_things

#: How many requests are made to each operation; many more with `make requests`.
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "4"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, found in described["paths"].items():
        for method, operation in found.items():
            yield path, method, operation


def test_the_schema_is_valid_and_generated_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yaml"))


def test_every_operation_is_described_with_its_problems(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        assert operation["summary"], (path, method)
        assert "{" not in operation["description"], (path, method)
        assert {"400", "401", "403", "404", "default"} <= set(operation["responses"]), (path, method)
        named = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert (method == "post") == ("Idempotency-Key" in named), (path, method)


@pytest.mark.django_db
def test_the_schema_and_its_page_are_open_and_the_page_brings_no_inline_script() -> None:
    caller = Caller()
    assert caller.get("schema/", Accept="application/json")["openapi"].startswith("3")
    page = caller.get("docs/", Accept="text/html")
    assert page.status == 200
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert re.findall(rb"<script(?! src=)|<style| on[a-z]+=", page.raw) == []
    scripts = [found.decode() for found in re.findall(rb'<script src="([^"]+)"', page.raw)]
    assert len(scripts) == 3
    assert (
        caller.get(scripts[-1].replace("&amp;", "&"), Accept="*/*")
        .headers["Content-Type"]
        .startswith("application/javascript")
    )


def try_out(operation: Any, known: dict[str, str], headers: dict[str, str]) -> None:
    """Make requests as the schema allows them, as many about things that exist as not, each on the same ground."""

    # several YAML documents in one text are more than the checker can read
    checks = [check for check in CHECKS if check is not response_schema_conformance or "/export/" not in operation.path]

    @settings(
        max_examples=EXAMPLES // 2,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def once(case: Any, about: dict[str, str] | None) -> None:
        if about is not None:
            case.path_parameters = {**(case.path_parameters or {}), **about}
            case.headers.update({"If-Match": "*"})
        with transaction.atomic():
            try:
                case.call_and_validate(headers=headers, checks=checks)
            finally:
                transaction.set_rollback(True)

    for about in (known, None):
        once(about=about)


@pytest.fixture
def site() -> Iterator[Any]:
    """The site as a server calls it, in the test's own transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
def test_whatever_the_schema_allows_gets_the_answer_it_promises(
    described: dict[str, Any], admin: User, site: Any
) -> None:
    things = make_things(admin)
    _, key = create_token(admin, name="walk", scopes=["write"], now=timezone.now())
    headers = {"Authorization": f"Bearer {key}"}
    schema = schemathesis.openapi.from_dict(described)
    schema.app = site
    complaints: list[str] = []
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        named = re.findall(r"([a-z-]+)/\{([a-z]+)\}", operation.path)
        known = {parameter: things[collection] for collection, parameter in named}
        try:
            try_out(operation, known, headers)
        except (Failure, FailureGroup) as error:
            complaints.append(f"{operation.label}: {error}")
        tried += 1
    assert complaints == []
    assert tried > 60


def test_articles_fit_what_they_stand_before() -> None:
    text = str(SchemaGenerator().get_schema(request=None, public=True))
    assert "Put an input set" in text
    assert "uses an input set" in text
    assert not re.findall(r"\b[Aa] (?:input|activity|artifact|event|exception)\b", text)
