"""One's own tokens: made, listed, revoked. A key is in the answer to its making, and nowhere else."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import NotPermitted
from config.models import ApiToken
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import View
from config.tokens import SCOPES, create_token, revoke_token


class TokenOut(serializers.ModelSerializer[ApiToken]):
    """A token, without its key."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), read_only=True)

    class Meta:
        model = ApiToken
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at")
        read_only_fields = fields


class NewTokenOut(TokenOut):
    """A token that was just made, with its key."""

    key = serializers.CharField(read_only=True, help_text="Keep it: it is never shown again, not even on a replay.")

    class Meta(TokenOut.Meta):
        fields = (*TokenOut.Meta.fields, "key")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class TokenIn(Input):
    """A token to be made."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), allow_empty=False, max_length=2)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class TokenFilter(django_filters.FilterSet):
    """Which of one's tokens."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = ApiToken
        fields: ClassVar[list[str]] = []


class Tokens(View):
    """One's own tokens."""

    lookup_value_converter = "row"
    filterset_class = TokenFilter
    serializer_class = TokenOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the caller's own tokens; nobody sees another's."""
        return ApiToken.objects.filter(user=cast("User", request.user))

    @describe("List your tokens.", gives=TokenOut(many=True))
    def list(self, request: Request) -> Response:
        """Answer with a page of tokens."""
        return self.page(TokenOut)

    @describe(
        "Make a token. Only somebody who is signed in may, not another token.",
        takes=TokenIn,
        gives=NewTokenOut,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Answer with the new token and its key."""
        if isinstance(request.auth, ApiToken) or not isinstance(request.user, User):
            raise NotPermitted("A token cannot make tokens: sign in.", code="sign_in")
        token, key = create_token(request.user, **given(TokenIn, request), now=timezone.now())
        shown = dict(TokenOut(token).data)
        response = Response({**shown, "key": key}, status=201)
        response.remembered = {**shown, "key": ""}  # type: ignore[attr-defined]
        return response

    @describe("Revoke a token.", gives=None, status=204)
    def destroy(self, request: Request, pk: str) -> Response:
        """Answer with nothing once the token is useless."""
        assert isinstance(request.user, User)
        revoke_token(request.user, self.one(pk=pk), now=timezone.now())
        return Response(status=204)
