"""Tokens: shown once, hashed, scoped, expiring, revocable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from config.models import ApiToken
from config.tokens import create_token, digest_of, find_token
from tests.edges.calls import Caller, with_token

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_and_kept_as_a_digest(owner: User) -> None:
    caller = Caller(owner)
    made = caller.post("tokens/", {"name": "ci", "scopes": ["write"]})
    assert made.status == 201
    token = ApiToken.objects.get()
    assert token.digest == digest_of(made["key"])
    assert made["key"] not in str(ApiToken.objects.values())
    listed = caller.get("tokens/")["results"]
    assert [(one["name"], one["prefix"], "key" in one) for one in listed] == [("ci", made["key"][:10], False)]
    assert Caller(token=made["key"]).get("me/")["username"] == "owner"


def test_a_reading_token_reads_and_a_writing_one_does_both(admin: User) -> None:
    reader, writer = with_token(admin, "read"), with_token(admin, "write")
    document = {"name": "Cart", "type": "service"}
    refused = reader.put("resources/cart/", document)
    assert (refused.status, refused.code) == (403, "scope")
    assert writer.put("resources/cart/", document).status == 201
    assert reader.get("resources/cart/").status == writer.get("resources/cart/").status == 200


def test_a_reading_token_may_ask_what_a_post_only_looks_at(author: User) -> None:
    Caller(author).post("apply/", "{kind: Process, id: small, name: Small, phases: []}")
    assert with_token(author, "read").post("processes/small/check/").status in (200, 404)
    assert with_token(author, "read").post("processes/small/publish/").status == 403


@pytest.mark.parametrize("key", ["ph_wrong", "", "ph_" + "é" * 20, "x" * 5000])
def test_a_key_that_nobody_made_is_refused(owner: User, key: str) -> None:
    answer = Caller().get("me/", Authorization=f"Bearer {key}")
    assert (answer.status, answer.code) == (401, "not_signed_in")


def test_a_bad_key_is_refused_even_from_somebody_signed_in(owner: User) -> None:
    assert Caller(owner).get("me/", Authorization="Bearer ph_wrong").status == 401


def test_an_expired_revoked_or_left_token_is_refused(owner: User) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    token, key = create_token(owner, name="x", scopes=["read"], now=timezone.now(), expires_at=soon)
    caller = Caller(token=key)
    assert caller.get("me/").status == 200
    assert find_token(key, now=soon) is None
    owner.is_active = False
    owner.save()
    assert caller.get("me/").status == 401
    owner.is_active = True
    owner.save()
    assert Caller(owner).delete(f"tokens/{token.pk}/").status == 204
    assert caller.get("me/").status == 401


def test_a_token_makes_no_tokens(owner: User) -> None:
    answer = with_token(owner, "write").post("tokens/", {"name": "x", "scopes": ["write"]})
    assert (answer.status, answer.code) == (403, "sign_in")


def test_nobody_sees_or_revokes_another_s_token(owner: User, admin: User) -> None:
    token, _ = create_token(owner, name="x", scopes=["read"], now=timezone.now())
    assert Caller(admin).get("tokens/")["results"] == []
    assert Caller(admin).delete(f"tokens/{token.pk}/").status == 404


def test_the_last_use_is_noted_at_most_once_a_minute(owner: User) -> None:
    now = timezone.now()
    token, key = create_token(owner, name="x", scopes=["read"], now=now)
    for later, noted in ((0, 0), (59, 0), (60, 60), (61, 60)):
        find_token(key, now=now + timedelta(seconds=later))
        token.refresh_from_db()
        assert token.last_used_at == now + timedelta(seconds=noted)


def test_a_token_that_cannot_be_is_refused_with_every_fault(owner: User) -> None:
    answer = Caller(owner).post("tokens/", {"scopes": ["everything"], "expires_at": "soon"})
    assert {"name", "expires_at"} <= answer.paths
    late = Caller(owner).post("tokens/", {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"})
    assert late.paths == {"expires_at"}
