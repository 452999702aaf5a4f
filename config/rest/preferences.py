"""One's own preferences: shown and changed."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.models import Preference
from config.preferences import preference_of, save_preference
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import View


class PreferenceOut(serializers.ModelSerializer[Preference]):
    """What you have chosen for yourself. An empty `zone` is that of the browser you happen to use.

    Notices of the kinds in `unmailed` are not sent to you by mail.
    """

    class Meta:
        model = Preference
        fields = ("zone", "unmailed")
        read_only_fields = fields


class PreferenceIn(Input):
    """What is to change."""

    zone = serializers.CharField(max_length=60, allow_blank=True, required=False)
    unmailed = serializers.ListField(child=serializers.CharField(max_length=60), max_length=20, required=False)


class Preferences(View):
    """The caller's own preferences."""

    pagination_class = None
    serializer_class = PreferenceOut

    @describe("See what you have chosen for yourself.", gives=PreferenceOut)
    def show(self, request: Request) -> Response:
        """Answer with the preferences."""
        return Response(PreferenceOut(preference_of(cast("User", request.user))).data)

    @describe("Change what you have chosen for yourself.", takes=PreferenceIn, gives=PreferenceOut)
    def change(self, request: Request) -> Response:
        """Answer with the preferences as they are now."""
        changed = save_preference(cast("User", request.user), given(PreferenceIn, request), now=timezone.now())
        return Response(PreferenceOut(changed).data)
