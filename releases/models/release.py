"""A release and who takes part in it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from processes.models import InputSet, Process, ProcessRevision
from releases.models.blueprint import ReleaseGroup, Snapshot
from releases.states import RELEASE_SETTLED, ReleaseState


class Release(models.Model):
    """One execution of one process revision with resolved inputs, a planned window and actual times.

    The release's row lock guards every state below it. Values given on the release (`given`) and at its start
    (`given_at_start`) have the shape of an input set; `inputs` and `sources` are what came of them, then pinned.
    """

    group = models.ForeignKey(
        ReleaseGroup, models.PROTECT, null=True, blank=True, related_name="releases", db_index=False
    )
    process = models.ForeignKey(Process, models.PROTECT, related_name="releases")
    revision = models.ForeignKey(ProcessRevision, models.PROTECT, null=True, blank=True, related_name="releases")
    input_set = models.ForeignKey(InputSet, models.PROTECT, null=True, blank=True, related_name="releases")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, blank=True, related_name="releases")
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=[(s.value, s.value) for s in ReleaseState], default="draft")
    given = models.JSONField(default=dict, blank=True)
    given_at_start = models.JSONField(default=dict, blank=True)
    inputs = models.JSONField(default=dict, blank=True)
    sources = models.JSONField(default=dict, blank=True)
    values = models.JSONField(default=dict, blank=True, help_text="Given values of phases and activities, by path.")
    outputs = models.JSONField(default=dict, blank=True)
    occurs_at = models.DateTimeField(null=True, blank=True, help_text="The moment of the group's cadence it is for.")
    sequence = models.PositiveIntegerField(null=True, blank=True, help_text="Its number among its group's occurrences.")
    touched_at = models.DateTimeField(null=True, blank=True, help_text="When a person last changed what was planned.")
    planned_start_at = models.DateTimeField(null=True, blank=True)
    planned_end_at = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True, help_text="When the tick tries to start it (again).")
    check_at = models.DateTimeField(null=True, blank=True, help_text="When the tick looks at what would stop it.")
    findings = models.JSONField(default=list, blank=True, help_text="What would stop it, as last looked at.")
    told = models.JSONField(default=list, blank=True, help_text="What stops it, as its owners were last told.")
    telling_until = models.DateTimeField(null=True, blank=True, help_text="Until when a message may be on its way.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_by_name = models.CharField(max_length=150, blank=True)
    started_by_name = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True, help_text="Why it was aborted or cancelled.")
    edits = models.PositiveIntegerField(default=1, help_text="Counts edits of its plan; the API's ETag.")

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("operate_release", "Can pause, abort and decide in release"),
            ("break_glass_release", "Can start release in spite of what stops it"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "occurs_at"], name="occurrence_once_per_group", deferrable=models.Deferrable.DEFERRED
            ),
            models.UniqueConstraint(
                fields=["group", "sequence"], name="sequence_once_per_group", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False, state__in=sorted(RELEASE_SETTLED))
                | (Q(finished_at__isnull=True) & ~Q(state__in=sorted(RELEASE_SETTLED))),
                name="release_finished_when_settled",
            ),
            models.CheckConstraint(
                condition=Q(planned_end_at=None) | Q(planned_end_at__gte=models.F("planned_start_at")),
                name="release_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="release_due", condition=Q(state="scheduled")),
            models.Index(fields=["planned_start_at", "id"], name="release_ahead", condition=Q(state="scheduled")),
            models.Index(fields=["check_at"], name="release_check", condition=Q(check_at__isnull=False)),
            models.Index(fields=["group", "planned_start_at"], name="release_of_group"),
            models.Index(fields=["planned_start_at", "planned_end_at"], name="release_planned"),
            models.Index(fields=["state", "-id"], name="release_by_state"),
            models.Index(models.F("finished_at").desc(nulls_last=True), models.F("id").desc(), name="release_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class ReleaseRole(models.Model):
    """Who fills a role of the process in this release."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["release", "role"], name="role_filled_once_per_release")]

    def __str__(self) -> str:
        return f"{self.role}: {self.user}"


class Participant(models.Model):
    """A group or person that owns, is assigned or approves something in a release, and may therefore see it."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="participants")
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["group", "user", "release"], name="participant_once", nulls_distinct=False),
            models.CheckConstraint(
                condition=Q(group=None, user__isnull=False) | Q(group__isnull=False, user=None),
                name="participant_is_a_group_or_a_person",
            ),
        ]

    def __str__(self) -> str:
        return str(self.group or self.user)


class ReleaseUserPermission(UserObjectPermissionBase):
    """A person's permission on one release."""

    content_object = models.ForeignKey(Release, models.CASCADE)


class ReleaseGroupOfUsersPermission(GroupObjectPermissionBase):
    """A group's permission on one release."""

    content_object = models.ForeignKey(Release, models.CASCADE)
