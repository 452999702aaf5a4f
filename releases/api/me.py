"""Who is asking, and what waits for them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.models import ApiToken
from config.rest.describe import describe
from config.rest.tokens import TokenOut
from config.rest.views import View
from releases.api.exceptions import ExceptionOut
from releases.inbox import waiting_for
from releases.reading.freezes import exceptions_to_decide


class WaitingOut(serializers.Serializer[Any]):
    """An activity that waits for you, and what it asks: decision, sign-off, task, form, evidence, done."""

    activity_run = serializers.IntegerField(source="run.pk")
    release = serializers.IntegerField(source="run.release_id")
    release_name = serializers.CharField(source="run.release")
    phase = serializers.CharField(source="run.phase.name")
    path = serializers.CharField(source="run.path")
    name = serializers.CharField(source="run.name")
    asks = serializers.ListField(child=serializers.CharField())
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)


class MeOut(serializers.Serializer[Any]):
    """You; `token` is the one this request carries, if it carries one.

    At most 100 things wait here: what is due first, then what is due at no time, the oldest first.
    """

    username = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)
    groups = serializers.ListField(child=serializers.CharField())
    is_staff = serializers.BooleanField()
    token = TokenOut(allow_null=True)
    waiting = WaitingOut(many=True)
    exceptions = ExceptionOut(many=True, help_text="Exceptions from freezes that wait for you to grant or refuse them.")


class Me(View):
    """The caller."""

    pagination_class = None
    serializer_class = MeOut

    @describe("See who you are and what waits for you.")
    def show(self, request: Request) -> Response:
        """Answer with the caller."""
        user = request.user
        assert isinstance(user, User)
        about = {
            "username": user.get_username(),
            "name": user.get_full_name(),
            "email": user.email,
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "is_staff": user.is_staff,
            "token": request.auth if isinstance(request.auth, ApiToken) else None,
            "waiting": waiting_for(user),
            "exceptions": exceptions_to_decide(user, now=timezone.now()),
        }
        return Response(MeOut(about, context={"request": request}).data)
