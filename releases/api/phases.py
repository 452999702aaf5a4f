"""Phases of releases."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.bodies import given
from config.rest.describe import describe
from config.rest.views import View
from releases import policy, reading
from releases.api.blocked import BlockedOut
from releases.api.shapes import PhaseRunOut, WhyIn
from releases.models import PhaseRun
from releases.services import running


class PhaseRuns(View):
    """Phases of the releases the caller may see."""

    lookup_value_converter = "row"
    pagination_class = None
    serializer_class = PhaseRunOut
    table = PhaseRun

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the phases of visible releases."""
        found = PhaseRun.objects.select_related("release__process", "release__group")
        return found.filter(release__in=policy.visible_releases(request.user))

    @describe("Look at a phase of a release.")
    def retrieve(self, request: Request, pk: str) -> Response:
        """Answer with its values and what one may do."""
        return self._shown(pk)

    @describe(
        "See why a phase waits. Each link says what it waits for, who can move it on, and what that waits for.",
        gives=BlockedOut,
    )
    @action(detail=True)
    def blocked(self, request: Request, pk: str) -> Response:
        """Answer with the whole chain; it is empty once the phase has settled."""
        return Response(BlockedOut(reading.run_blocked(self.one(pk=pk), now=timezone.now())).data)

    @describe("Run a phase once more from its first activity.", takes=WhyIn)
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Answer with the phase as it is now."""
        phase, why = self.one(pk=pk), given(WhyIn, request)["reason"]
        running.restart_phase(request.user, phase, now=timezone.now(), reason=why)
        return self._shown(pk)

    def _shown(self, pk: str) -> Response:
        return Response(PhaseRunOut(reading.phase_detail(self.one(pk=pk), self.request.user)).data)
