"""The blueprint in motion, as tables."""

from releases.models.blueprint import (
    Freeze,
    ReleaseGroup,
    ReleaseGroupGroupPermission,
    ReleaseGroupUserPermission,
    Snapshot,
)
from releases.models.people import Artifact, Comment, Evidence, SignOff, TaskRun
from releases.models.release import (
    Participant,
    Release,
    ReleaseGroupOfUsersPermission,
    ReleaseRole,
    ReleaseUserPermission,
)
from releases.models.runs import ActivityRun, Attempt, AttemptLog, PhaseRun

__all__ = [
    "ActivityRun",
    "Artifact",
    "Attempt",
    "AttemptLog",
    "Comment",
    "Evidence",
    "Freeze",
    "Participant",
    "PhaseRun",
    "Release",
    "ReleaseGroup",
    "ReleaseGroupGroupPermission",
    "ReleaseGroupOfUsersPermission",
    "ReleaseGroupUserPermission",
    "ReleaseRole",
    "ReleaseUserPermission",
    "SignOff",
    "Snapshot",
    "TaskRun",
]
