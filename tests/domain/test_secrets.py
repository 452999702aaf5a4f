"""Secrets at rest: what is kept, who can read it, and that everything that does not fit fails closed."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from activities import secrets
from activities.models import Secret
from config.errors import InvalidInput, NotPermitted, RunnerRefused, SetUpFailed
from config.models import Event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)
OLD_KEY, NEW_KEY = "o" * 43, "n" * 43
VALUE = "hünter2 - correct horse"


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.SECRET_KEYS = [OLD_KEY]


@pytest.fixture
def manager() -> User:
    """May set secrets."""
    user = User.objects.create_user("manager")
    user.user_permissions.add(Permission.objects.get(codename="change_secret"))
    return user


@pytest.fixture
def stranger() -> User:
    """May nothing."""
    return User.objects.create_user("stranger")


def test_what_was_set_is_revealed(manager: User) -> None:
    secrets.set_secret(manager, "deploy", VALUE, now=NOW)
    assert secrets.reveal("deploy") == VALUE


def test_a_value_set_again_replaces_the_one_before(manager: User) -> None:
    secrets.set_secret(manager, "deploy", "first", now=NOW)
    secrets.set_secret(manager, "deploy", "second", now=NOW)
    assert secrets.reveal("deploy") == "second"
    assert Secret.objects.get().updated_by == manager


def test_a_stranger_may_not_set_a_secret(stranger: User) -> None:
    with pytest.raises(NotPermitted):
        secrets.set_secret(stranger, "deploy", VALUE, now=NOW)
    assert not Secret.objects.exists()


def test_the_value_is_in_no_row_and_the_event_tells_who_set_it(manager: User) -> None:
    secrets.set_secret(manager, "deploy", VALUE, now=NOW)
    event = Event.objects.get()
    assert (event.verb, event.actor_name, event.subject_name, event.at) == ("secret.set", "manager", "deploy", NOW)
    assert VALUE not in str(vars(event)) + repr(Secret.objects.get())
    assert VALUE.encode() not in bytes(Secret.objects.get().ciphertext)


def test_the_same_value_is_never_encrypted_alike() -> None:
    kept = {bytes(secrets.set_secret(None, "deploy", VALUE).ciphertext) for _ in range(3)}
    assert len(kept) == 3


def test_a_ciphertext_put_under_another_name_is_refused() -> None:
    secrets.set_secret(None, "deploy", VALUE)
    secrets.set_secret(None, "staging", "other")
    Secret.objects.filter(name="staging").update(ciphertext=Secret.objects.get(name="deploy").ciphertext)
    with pytest.raises(RunnerRefused, match="'staging' cannot be read"):
        secrets.reveal("staging")


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_ciphertext_changed_anywhere_is_refused(place: int) -> None:
    secrets.set_secret(None, "deploy", "x" * 40)
    kept = bytearray(bytes(Secret.objects.get().ciphertext))
    kept[place] ^= 1
    Secret.objects.update(ciphertext=bytes(kept))
    with pytest.raises(RunnerRefused) as caught:
        secrets.reveal("deploy")
    assert caught.value.code == "secret_unreadable"


@pytest.mark.parametrize("kept", [b"\x01", b"\x01short", b"no such format at all, but long enough to look like one"])
def test_a_ciphertext_that_is_none_is_refused(kept: bytes) -> None:
    Secret.objects.create(name="deploy", ciphertext=kept, updated_at=NOW)
    with pytest.raises(RunnerRefused):
        secrets.reveal("deploy")


def test_an_old_key_still_reads_until_rotation_makes_it_superfluous(settings: Any) -> None:
    secrets.set_secret(None, "deploy", VALUE)
    secrets.name_secret("waiting", now=NOW)
    settings.SECRET_KEYS = [NEW_KEY, OLD_KEY]
    secrets.set_secret(None, "staging", "other")
    assert secrets.reveal("deploy") == VALUE
    assert secrets.rotate(now=NOW) == 1
    assert secrets.rotate(now=NOW) == 0
    settings.SECRET_KEYS = [NEW_KEY]
    assert secrets.reveal("deploy") == VALUE


def test_without_the_key_that_encrypted_nothing_is_revealed_and_nothing_rotated(settings: Any) -> None:
    secrets.set_secret(None, "deploy", VALUE)
    kept = bytes(Secret.objects.get().ciphertext)
    settings.SECRET_KEYS = [NEW_KEY]
    with pytest.raises(RunnerRefused, match="not among PILOTHOUSE_SECRET_KEYS"):
        secrets.reveal("deploy")
    with pytest.raises(RunnerRefused):
        secrets.rotate()
    assert bytes(Secret.objects.get().ciphertext) == kept


@pytest.mark.parametrize("unusable", [[], [""], ["short"], [OLD_KEY, "short"]])
def test_unusable_keys_are_refused_with_what_is_wanted(settings: Any, unusable: list[str]) -> None:
    settings.SECRET_KEYS = unusable
    with pytest.raises(SetUpFailed, match="at least 32 random characters"):
        secrets.set_secret(None, "deploy", VALUE)


def test_a_secret_nobody_has_set_says_how_to_set_it() -> None:
    secrets.name_secret("waiting", now=NOW)
    for name in ("waiting", "missing"):
        with pytest.raises(InvalidInput, match=f"manage.py set_secret {name}"):
            secrets.reveal(name)


def test_only_names_with_a_value_are_known() -> None:
    secrets.set_secret(None, "deploy", VALUE)
    secrets.name_secret("waiting", now=NOW)
    assert secrets.known_names(["deploy", "waiting", "missing"]) == {"deploy"}


def test_naming_a_secret_that_exists_keeps_its_value() -> None:
    secrets.set_secret(None, "deploy", VALUE)
    secrets.name_secret("deploy", now=NOW)
    assert secrets.reveal("deploy") == VALUE


def test_a_bad_name_and_an_empty_value_are_told_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        secrets.set_secret(None, "No Name", "")
    assert [fault.path for fault in caught.value.faults] == ["name", "value"]


@pytest.mark.parametrize("value", ["a\0b", "a\ud800", "x" * 40_000])
def test_a_value_that_no_program_could_get_is_refused_without_telling_it(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        secrets.set_secret(None, "deploy", value)
    assert value[:3] not in str(caught.value)


def test_the_command_reads_the_value_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines\n"))
    said = io.StringIO()
    call_command("set_secret", "deploy", stdout=said)
    assert said.getvalue() == "The secret 'deploy' is set.\n"
    assert secrets.reveal("deploy") == "two\nlines"


def test_the_command_asks_a_person_without_showing_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed after {prompt}")
    call_command("set_secret", "deploy", stdout=io.StringIO())
    assert secrets.reveal("deploy") == "typed after Value of 'deploy': "


def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="The value is empty"):
        call_command("set_secret", "deploy")


def test_the_rotation_command_tells_how_many(settings: Any) -> None:
    secrets.set_secret(None, "deploy", VALUE)
    settings.SECRET_KEYS = [NEW_KEY, OLD_KEY]
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    assert said.getvalue().startswith("1 secrets")
