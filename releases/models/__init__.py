"""The blueprint in motion, as tables."""

from releases.models.blueprint import (
    Freeze,
    ReleaseGroup,
    ReleaseGroupGroupPermission,
    ReleaseGroupUserPermission,
    Snapshot,
)
from releases.models.calendars import (
    Booking,
    BreakGlass,
    Feed,
    FreezeException,
    FreezeWindow,
    Holiday,
    HolidayCalendar,
)
from releases.models.changes import Change
from releases.models.notices import Notice
from releases.models.people import Artifact, Comment, Evidence, SignOff, TaskRun
from releases.models.release import (
    Participant,
    Release,
    ReleaseGroupOfUsersPermission,
    ReleaseRole,
    ReleaseUserPermission,
)
from releases.models.runs import ActivityRun, Attempt, AttemptLog, PhaseRun
from releases.models.saved import SavedView

__all__ = [
    "ActivityRun",
    "Artifact",
    "Attempt",
    "AttemptLog",
    "Booking",
    "BreakGlass",
    "Change",
    "Comment",
    "Evidence",
    "Feed",
    "Freeze",
    "FreezeException",
    "FreezeWindow",
    "Holiday",
    "HolidayCalendar",
    "Notice",
    "Participant",
    "PhaseRun",
    "Release",
    "ReleaseGroup",
    "ReleaseGroupGroupPermission",
    "ReleaseGroupOfUsersPermission",
    "ReleaseGroupUserPermission",
    "ReleaseRole",
    "ReleaseUserPermission",
    "SavedView",
    "SignOff",
    "Snapshot",
    "TaskRun",
]
