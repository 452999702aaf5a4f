"""Releases through the API: planned, started, followed, decided about; and what waits for whoever asks."""

from __future__ import annotations

from config.rest.views import Router
from releases.api.activities import ActivityRuns
from releases.api.attaching import Changes, Environments
from releases.api.break_glass import BreakGlasses
from releases.api.conflicts import Conflicts, FreeSlot
from releases.api.events import Events
from releases.api.exceptions import FreezeExceptions
from releases.api.freezes import Freezes, StopTheLine
from releases.api.groups import ReleaseGroups
from releases.api.holidays import HolidayCalendars
from releases.api.me import Me
from releases.api.notices import Notices
from releases.api.phases import PhaseRuns
from releases.api.releases import Releases
from releases.api.saved_views import SavedViews


def routes(router: Router) -> None:
    """Add the addresses of blueprints in motion."""
    router.register("release-groups", ReleaseGroups, basename="release-group")
    router.register("holiday-calendars", HolidayCalendars, basename="holiday-calendar")
    router.register("freezes", Freezes, basename="freeze")
    router.register("stop-the-line", StopTheLine, basename="stop-the-line")
    router.register("freeze-exceptions", FreezeExceptions, basename="freeze-exception")
    router.register("break-glass", BreakGlasses, basename="break-glass")
    router.register("releases", Releases, basename="release")
    router.register("changes", Changes, basename="change")
    router.register("environments", Environments, basename="environment")
    router.register("phase-runs", PhaseRuns, basename="phase-run")
    router.register("activity-runs", ActivityRuns, basename="activity-run")
    router.register("notices", Notices, basename="notice")
    router.register("events", Events, basename="event")
    router.register("saved-views", SavedViews, basename="saved-view")
    router.single("conflicts", Conflicts)
    router.single("free-slot", FreeSlot)
    router.single("me", Me)
