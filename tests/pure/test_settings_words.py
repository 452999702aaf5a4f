"""What each provider's settings are, in words, as the form of a connection tells them."""

from __future__ import annotations

from typing import Any

import pytest

from activities.runners import provider_paths, runner_for
from activities.settings_words import settings_by_provider


def test_the_required_settings_come_first_and_each_says_what_it_takes():
    assert settings_by_provider()["jenkins"] == [
        ("url", "an address, required"),
        ("username", "text"),
        ("folder", "text"),
        ("key_parameter", "text"),
        ("accept_unstable", "true or false"),
    ]


def test_a_choice_names_its_values_and_a_secret_how_it_is_referred_to():
    told = settings_by_provider()
    assert dict(told["argo"])["cancel"] == "stop or terminate"
    assert dict(told["github"])["hook"] == "{secret: {secret: its name}}"
    assert dict(told["datadog"])["application_key"] == "{secret: its name}, required"


def broken() -> None:
    raise RuntimeError("no licence")


class Odd:
    settings = {"properties": {"any": True, "nested": {"type": "object", "properties": {"secret": True}}}}


class Silent:
    settings = None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("broken", None),
        ("Silent", None),
        ("Odd", [("any", "anything"), ("nested", "{secret: anything}")]),
    ],
)
def test_a_plug_in_of_any_kind_leaves_the_others_as_they_are(settings: Any, name: str, told: object) -> None:
    settings.PROVIDERS = {"mine": f"{__name__}.{name}"}
    assert settings_by_provider().get("mine") == told
    assert settings_by_provider()["jenkins"]


def test_every_setting_of_every_provider_is_told():
    schemas = {name: getattr(runner_for(name), "settings", {}).get("properties", {}) for name in provider_paths()}
    told = {name: {setting for setting, _ in settings} for name, settings in settings_by_provider().items()}
    assert told == {name: set(properties) for name, properties in schemas.items() if properties}
