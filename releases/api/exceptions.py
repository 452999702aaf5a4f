"""Exceptions from freezes: asked for, granted, refused, withdrawn, void."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput
from config.rest.bodies import Input, given
from config.rest.describe import describe
from config.rest.views import LARGEST_ID, View
from releases import policy
from releases.api.shapes import ReasonedIn, WhyIn
from releases.models import FreezeException
from releases.reading.freezes import exception_may, visible_exceptions, visible_freezes, visible_groups
from releases.services import exempting

STATES = FreezeException.State.values


class ExceptionOut(serializers.ModelSerializer[FreezeException]):
    """An exception for a release, or for a group's releases; `may` names what you may do with it now.

    `void_reason` says why it no longer counts, and is empty unless its state is `void`.
    """

    freeze = serializers.CharField(source="freeze.slug", read_only=True)
    release = serializers.IntegerField(source="release_id", read_only=True, allow_null=True)
    group = serializers.CharField(source="group.slug", read_only=True, allow_null=True, default=None)
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    asked_by = serializers.CharField(source="asked_by_name", read_only=True)
    decided_by = serializers.CharField(source="decided_by_name", read_only=True)
    void_reason = serializers.CharField(read_only=True)
    may = serializers.SerializerMethodField()

    class Meta:
        model = FreezeException
        fields: ClassVar[tuple[str, ...]] = (
            "id", "freeze", "release", "group", "state", "reason", "expires_at", "asked_at", "asked_by", "decided_at",
            "decided_by", "decision_reason", "void_reason", "may",
        )  # fmt: skip
        read_only_fields = fields

    def get_may(self, exception: FreezeException) -> list[str]:
        """Return what the caller may do now."""
        return exception_may(self.context["request"].user, exception)


class ExceptionIn(Input):
    """What is asked for: a freeze, a release or a release group, why, and until when."""

    freeze = serializers.CharField(max_length=64)
    release = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=LARGEST_ID, default=None)
    group = serializers.CharField(required=False, allow_null=True, max_length=64, default=None)
    reason = serializers.CharField(max_length=5000)
    expires_at = serializers.DateTimeField(help_text="At most 366 days ahead.")


class ExceptionFilter(django_filters.FilterSet):
    """Which exceptions."""

    freeze = django_filters.CharFilter(field_name="freeze__slug", label="The id of the freeze.")
    release = django_filters.NumberFilter(
        field_name="release_id", label="The release they are for.", min_value=0, max_value=LARGEST_ID
    )
    group = django_filters.CharFilter(field_name="group__slug", label="The id of the release group they are for.")
    state = django_filters.MultipleChoiceFilter(
        choices=[(state, state) for state in STATES], label="May be repeated.", distinct=False
    )

    class Meta:
        model = FreezeException
        fields: ClassVar[list[str]] = []


class FreezeExceptions(View):
    """Exceptions from freezes the caller may see."""

    lookup_value_converter = "row"
    filterset_class = ExceptionFilter
    serializer_class = ExceptionOut

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the exceptions the caller may see."""
        return visible_exceptions(request.user)

    @describe("List the exceptions from freezes you may see, newest first.")
    def list(self, request: Request) -> Response:
        """Answer with a page."""
        return self.page(ExceptionOut)

    @describe("Look at an exception.")
    def retrieve(self, request: Request, pk: str) -> Response:
        """Answer with it."""
        return self._shown(pk)

    @describe(
        "Ask that a release, or a group's releases, may start in spite of a freeze.",
        takes=ExceptionIn,
        gives=ExceptionOut,
        status=201,
    )
    def create(self, request: Request) -> Response:
        """Answer with the exception, which waits to be granted."""
        asked = exempting.ask_exception(
            request.user, now=timezone.now(), **_named(request, given(ExceptionIn, request))
        )
        return self._shown(asked.pk, status=201)

    @describe("Grant an exception that somebody else has asked for.", takes=WhyIn)
    @action(detail=True, methods=["post"])
    def grant(self, request: Request, pk: str) -> Response:
        """Answer with it as it is now."""
        exception, why = self.one(pk=pk), given(WhyIn, request)["reason"]
        exempting.grant_exception(request.user, exception, now=timezone.now(), reason=why)
        return self._shown(pk)

    @describe("Refuse an exception, saying why.", takes=ReasonedIn)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        """Answer with it as it is now."""
        exception, why = self.one(pk=pk), given(ReasonedIn, request)["reason"]
        exempting.refuse_exception(request.user, exception, reason=why, now=timezone.now())
        return self._shown(pk)

    @describe("Take back an exception, granted or not.", takes=WhyIn)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Answer with it as it is now."""
        exception, why = self.one(pk=pk), given(WhyIn, request)["reason"]
        exempting.withdraw_exception(request.user, exception, now=timezone.now(), reason=why)
        return self._shown(pk)

    def _shown(self, pk: Any, status: int = 200) -> Response:
        return Response(ExceptionOut(self.one(pk=pk), context=self.get_serializer_context()).data, status=status)


def _named(request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked for with the rows that it names. Raises InvalidInput for each that the caller cannot see."""
    tables: dict[str, tuple[str, str, QuerySet[Any]]] = {
        "freeze": ("freeze", "slug", visible_freezes(request.user)),
        "release": ("release", "pk", policy.visible_releases(request.user).select_related("process", "group")),
        "group": ("release group", "slug", visible_groups(request.user).select_related("process")),
    }
    faults, found = [], dict(said)
    for name, (what, column, rows) in tables.items():
        if said[name] is None:
            continue
        found[name] = rows.filter(**{column: said[name]}).first()
        if found[name] is None:
            faults.append(Fault(name, f"There is no {what} '{said[name]}', or you may not see it."))
    if faults:
        raise InvalidInput(faults)
    return found
