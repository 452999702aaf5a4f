"""The blueprint: processes with their phases and activities as drafts, published revisions, input sets and resources.

A draft lives in rows, so that the admin can edit it and the database can guard it. What has a column of its own is
what people search, order or join by; every other key of the document stays in `body`, spelled as in the document.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from activities.fields import DocumentField
from activities.models import Activity, slug_validator


class Resource(models.Model):
    """A service or an environment that releases touch."""

    class Type(models.TextChoices):
        SERVICE = "service", "Service"
        ENVIRONMENT = "environment", "Environment"

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=20, choices=Type.choices)
    description = models.TextField(blank=True)
    exclusive = models.BooleanField(default=False, help_text="Only one running release at a time may use it.")

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Process(models.Model):
    """A reusable blueprint of a release. Its rows are the draft; `version` counts edits and is the API's ETag."""

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    body = DocumentField(default=dict, blank=True, help_text="inputs, outputs, resources, roles, fail_fast, tags.")
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["slug"]
        verbose_name_plural = "processes"
        permissions = [
            ("publish_process", "Can publish process"),
            ("start_process", "Can create and start releases of process"),
            ("operate_process", "Can pause, abort and decide in releases of process"),
        ]

    def __str__(self) -> str:
        return self.name


class Phase(models.Model):
    """A logical group of work in a process draft."""

    process = models.ForeignKey(Process, models.CASCADE, related_name="phases")
    slug = models.CharField("id", max_length=64, validators=[slug_validator])
    name = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=0)
    owners = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    depends_on = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    body = DocumentField(default=dict, blank=True, help_text="inputs, outputs, when, needs, after, description.")

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["process", "slug"], name="phase_id_once_per_process")]

    def __str__(self) -> str:
        return self.name


class PhaseActivity(models.Model):
    """An activity in a phase of a process draft: a reference to the store, a subprocess, or one spelled out here."""

    phase = models.ForeignKey(Phase, models.CASCADE, related_name="activities")
    slug = models.CharField("id", max_length=64, validators=[slug_validator])
    name = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0)
    activity = models.ForeignKey(Activity, models.PROTECT, null=True, blank=True, related_name="placements")
    pinned_revision = models.PositiveIntegerField(null=True, blank=True)
    subprocess = models.ForeignKey(Process, models.PROTECT, null=True, blank=True, related_name="placements")
    depends_on = ArrayField(models.CharField(max_length=140), default=list, blank=True)
    body = DocumentField(default=dict, blank=True, help_text="with, when, manual, wait, signal, automated, retry …")

    class Meta:
        ordering = ["position", "id"]
        verbose_name_plural = "phase activities"
        constraints = [
            models.UniqueConstraint(fields=["phase", "slug"], name="activity_id_once_per_phase"),
            models.CheckConstraint(
                condition=models.Q(activity=None) | models.Q(subprocess=None), name="activity_or_subprocess"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug


class ProcessRevision(models.Model):
    """An immutable, numbered publication of a process; the database refuses to change it."""

    process = models.ForeignKey(Process, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    document = DocumentField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    published_by_name = models.CharField(max_length=150)
    uses_activities = models.ManyToManyField(Activity, through="ActivityUse", related_name="+")
    uses_processes = models.ManyToManyField(Process, through="SubprocessUse", related_name="+")

    class Meta:
        ordering = ["process", "-number"]
        constraints = [models.UniqueConstraint(fields=["process", "number"], name="process_revision_number_once")]
        default_permissions = ("view",)
        triggers = [
            pgtrigger.ReadOnly(name="process_revision_is_fixed", exclude=["published_by", "document"]),
            pgtrigger.Protect(name="process_document_is_fixed", operation=pgtrigger.UpdateOf("document")),
            pgtrigger.Protect(name="process_revision_stays", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.process.slug}@{self.number}"


class ActivityUse(models.Model):
    """A published process revision uses a store activity, which therefore cannot be deleted."""

    revision = models.ForeignKey(ProcessRevision, models.CASCADE, related_name="activity_uses")
    activity = models.ForeignKey(Activity, models.PROTECT, related_name="uses")

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["revision", "activity"], name="activity_use_once")]

    def __str__(self) -> str:
        return f"{self.revision} uses {self.activity}"


class SubprocessUse(models.Model):
    """A published process revision runs another process, which therefore cannot be deleted."""

    revision = models.ForeignKey(ProcessRevision, models.CASCADE, related_name="subprocess_uses")
    process = models.ForeignKey(Process, models.PROTECT, related_name="uses")

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["revision", "process"], name="subprocess_use_once")]

    def __str__(self) -> str:
        return f"{self.revision} runs {self.process}"


class InputSet(models.Model):
    """Named values for a process's inputs, at process, phase and activity level. Secrets appear as references."""

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    process = models.ForeignKey(Process, models.PROTECT, related_name="input_sets")
    values = DocumentField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class ProcessUserPermission(UserObjectPermissionBase):
    """A person's permission on one process."""

    content_object = models.ForeignKey(Process, models.CASCADE)


class ProcessGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one process."""

    content_object = models.ForeignKey(Process, models.CASCADE)


class InputSetUserPermission(UserObjectPermissionBase):
    """A person's permission on one input set."""

    content_object = models.ForeignKey(InputSet, models.CASCADE)


class InputSetGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one input set."""

    content_object = models.ForeignKey(InputSet, models.CASCADE)
