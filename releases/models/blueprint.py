"""What a release is made from and what may stand in its way: groups, freezes and the pinned tree."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from activities.fields import DocumentField
from activities.models import slug_validator
from processes.models import InputSet, Process


class ReleaseGroup(models.Model):
    """A collection of releases on a cadence, linked to a process and an input set.

    `body` keeps the document's other keys (cadence, auto_start, overlap, start_deadline …) as they were written.
    """

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    color = models.CharField(max_length=20, blank=True)
    process = models.ForeignKey(Process, models.PROTECT, related_name="release_groups")
    input_set = models.ForeignKey(InputSet, models.PROTECT, null=True, blank=True, related_name="release_groups")
    body = DocumentField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)
    planned_until = models.DateTimeField(null=True, blank=True, help_text="Occurrences before this have releases.")
    next_plan_at = models.DateTimeField(null=True, blank=True, help_text="When the tick plans further ahead.")

    class Meta:
        ordering = ["slug"]
        permissions = [("operate_releasegroup", "Can pause, abort and decide in releases of group")]
        indexes = [
            models.Index(fields=["next_plan_at"], name="group_plan", condition=Q(next_plan_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> str:
        """The name of the zone that its cadence is written in; UTC without one."""
        return str((self.body.get("cadence") or {}).get("timezone") or "UTC")


class Freeze(models.Model):
    """A window in which releases or activities in its scope may not start. `body` holds scope, window, in_flight.

    Its windows are rows (FreezeWindow), those of a recurring one up to `planned_until`.
    """

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    body = DocumentField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)
    planned_until = models.DateTimeField(null=True, blank=True, help_text="Its windows before this have rows.")
    next_plan_at = models.DateTimeField(null=True, blank=True, help_text="When the tick plans further ahead.")

    class Meta:
        ordering = ["slug"]
        indexes = [
            models.Index(fields=["next_plan_at"], name="freeze_plan", condition=Q(next_plan_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name


class Snapshot(models.Model):
    """The tree that releases run: one process revision expanded and pinned. Releases with the same tree share it."""

    digest = models.CharField(max_length=64, unique=True)
    tree = DocumentField()

    class Meta:
        default_permissions = ()
        triggers = [pgtrigger.Protect(name="snapshot_is_fixed", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return self.digest[:12]


class ReleaseGroupUserPermission(UserObjectPermissionBase):
    """A person's permission on one release group."""

    content_object = models.ForeignKey(ReleaseGroup, models.CASCADE)


class ReleaseGroupGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one release group."""

    content_object = models.ForeignKey(ReleaseGroup, models.CASCADE)
