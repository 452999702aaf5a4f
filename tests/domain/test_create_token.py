"""`manage.py create_token` gives a key that works, to the one who asked, for as long as was said."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.tokens import find_token

pytestmark = pytest.mark.django_db


def key_for(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_key_is_all_that_is_printed_and_is_good_for_ninety_days(author: User) -> None:
    key = key_for(author.username)
    token = find_token(key, now=timezone.now())
    assert token is not None
    assert (token.user, token.scopes) == (author, ["write"])
    assert find_token(key, now=timezone.now() + timedelta(days=91)) is None


def test_a_token_may_be_for_reading_and_for_ever(author: User) -> None:
    token = find_token(
        key_for(author.username, "--scope", "read", "--days", "0", "--name", "board"), now=timezone.now()
    )
    assert token is not None
    assert (token.scopes, token.expires_at, token.name) == (["read"], None, "board")


def test_somebody_who_does_not_exist_gets_none(author: User) -> None:
    author.is_active = False
    author.save()
    for name in ("nobody", author.username):
        with pytest.raises(CommandError, match=f"There is no active person '{name}'"):
            key_for(name)


def test_days_that_make_no_sense_are_refused(author: User) -> None:
    with pytest.raises(CommandError, match="--days"):
        key_for(author.username, "--days", "-1")
