"""What a connection's engine wants is checked when the connection, or an activity that uses it, is saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from activities import services
from activities.models import Activity, Connection, Secret
from activities.runners import BUILT_IN, runner_for
from config.errors import InvalidInput
from processes.engines import connection_faults
from processes.schema_shapes import AUTOMATED
from processes.store import DatabaseCatalogue
from tests.builders import MONDAY

pytestmark = pytest.mark.django_db


def connection(provider: str, **settings: Any) -> dict[str, Any]:
    return {"kind": "Connection", "id": "ci", "name": "CI", "provider": provider, "settings": settings}


def faults(document: dict[str, Any]) -> dict[str, str]:
    return {fault.path: f"{fault.message} {fault.cure}".strip() for fault in connection_faults(document)}


def test_every_fault_of_the_settings_names_its_place_and_a_cure() -> None:
    found = faults(connection("github", url="https://u:hidden@github.example", repository="cart", hook={"secret": "x"}))
    assert found == {
        "settings.url": "The address must not hold a name or password: keep them in the connection's secret. "
        "Write it like https://ci.example.com.",
        "settings.repository": "'cart' is not a repository. Write it like shop/cart.",
        "settings.hook.secret": "'secret' must be a reference to a secret. Write {secret: name-of-the-secret}.",
    }
    assert faults(connection("github", repository="shop/cart", hook={"secret": {"secret": "hook"}})) == {}
    assert list(faults(connection("http", url="ftp://x", pipelines={}))) == ["settings.url"]
    assert list(faults(connection("http"))) == ["settings.url", "settings.pipelines"]
    assert list(faults(connection("local", grace="long"))) == ["settings.grace"]


def test_what_belongs_together_is_missed_too() -> None:
    pipeline = {"start": {"path": "/jobs", "body": {"a": "{a}"}}, "look": {"path": "/x"}, "parameters": {"key": {}}}
    found = faults(connection("http", url="https://x.example", auth="basic", pipelines={"job": pipeline}))
    assert list(found) == [
        "settings.pipelines.job.look",
        "settings.pipelines.job.parameters",
        "settings.pipelines.job.parameters.key",
        "settings.username",
    ]


def test_saving_refuses_and_keeps_the_names_of_secrets(author: User) -> None:
    with pytest.raises(InvalidInput):
        services.apply_connection(None, connection("github", url="x"), now=MONDAY)
    document = connection("github", repository="shop/cart", hook={"secret": {"secret": "hook"}})
    services.apply_connection(None, document, now=MONDAY)
    hook = Secret.objects.get(name="hook")
    assert not hook.ciphertext
    assert services.used_by(hook) == ["connection 'ci'"]


def test_an_automated_block_is_held_against_its_engine() -> None:
    Connection.objects.create(slug="ci", name="CI", provider="github")
    catalogue = DatabaseCatalogue()

    def told(**block: Any) -> list[str]:
        return [fault.path for fault in catalogue.work_faults({"connection": "ci", **block}, "automated")]

    assert told() == ["automated.pipeline"]
    assert told(pipeline="deploy.yml", command=["ls"]) == ["automated.command"]
    assert told(pipeline="", ref="${{ inputs.ref }}", parameters={"a": "b"}) == ["automated.pipeline"]
    assert told(pipeline="${{ inputs.what }}") == []


def test_a_process_whose_engine_would_not_take_it_is_not_published(author: User) -> None:
    Connection.objects.create(slug="ci", name="CI", provider="github")
    document = {"kind": "Activity", "id": "deploy", "name": "Deploy", "type": "automated"}
    services.apply_activity(None, {**document, "automated": {"connection": "ci"}}, now=MONDAY)
    with pytest.raises(InvalidInput, match=r"automated\.pipeline"):
        services.publish_activity(None, Activity.objects.get(), now=MONDAY)


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        ("airflow", {"outputs": "tell"}),
        ("azure", {"variables": ["mode"], "accept_partial": True}),
        ("harness", {"inputs": {"stages": []}, "input_sets": ["prod"], "accept_ignored": True}),
    ],
)
def test_what_only_one_engine_knows_can_be_written_in_a_document(provider: str, settings: dict[str, Any]) -> None:
    Connection.objects.create(slug="ci", name="CI", provider=provider)
    block = {"connection": "ci", "pipeline": "deploy", "settings": settings}
    document = {"kind": "Activity", "id": "deploy", "name": "Deploy", "type": "automated", "automated": block}
    services.apply_activity(None, document, now=MONDAY)
    assert list(DatabaseCatalogue().work_faults(block, "automated")) == []
    wrong = {**block, "settings": {"other": 1}}
    assert [one.path for one in DatabaseCatalogue().work_faults(wrong, "automated")] == ["automated.settings.other"]


@pytest.mark.parametrize("provider", sorted(set(BUILT_IN) - {"local"}))
def test_what_an_engine_takes_can_be_written_in_a_document(provider: str) -> None:
    engine: Any = runner_for(provider)
    assert set(engine.work["properties"]) <= set(AUTOMATED["properties"])
