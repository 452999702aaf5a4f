"""What people do in a manual activity: tasks, sign-offs, comments, evidence; and what releases leave behind."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from releases.models.release import Release
from releases.models.runs import ActivityRun


class TaskRun(models.Model):
    """A task of a manual activity, done or still to do, in one attempt at that activity."""

    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="tasks")
    attempt = models.PositiveIntegerField()
    slug = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=0)
    groups = ArrayField(models.CharField(max_length=200), default=list)
    required = models.BooleanField(default=True)
    expected_seconds = models.FloatField(null=True)
    opens_at = models.DateTimeField(null=True, help_text="When it should begin; never changes anything.")
    due_at = models.DateTimeField(null=True, help_text="When it should be done; never changes anything.")
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    done_by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["activity_run", "attempt", "position"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["activity_run", "attempt", "slug"], name="task_run_once_per_attempt")
        ]

    def __str__(self) -> str:
        return self.name


class SignOff(models.Model):
    """One person's approval or rejection, bound to the digest of what they saw (`signed`)."""

    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="sign_offs")
    attempt = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    user_name = models.CharField(max_length=150)
    decision = models.CharField(max_length=10, choices=[("approved", "approved"), ("rejected", "rejected")])
    comment = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    signed = models.JSONField(default=dict)
    at = models.DateTimeField()
    void_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["activity_run", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["activity_run", "attempt", "user"], condition=Q(void_at=None), name="sign_off_once_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_name} {self.decision} {self.activity_run}"


class Comment(models.Model):
    """A remark on an activity of a release."""

    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=150)
    body = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["activity_run", "id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.body[:60]


class Evidence(models.Model):
    """A file that proves something about a manual activity. Served only as a download, never rendered."""

    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="evidence")
    attempt = models.PositiveIntegerField()
    file = models.FileField(upload_to="evidence/%Y/%m/")
    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    uploaded_by_name = models.CharField(max_length=150)

    class Meta:
        ordering = ["activity_run", "id"]
        default_permissions = ("view",)
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return self.name


class Artifact(models.Model):
    """Something a release made or put somewhere: from a deployment one reaches the code, and back."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="artifacts")
    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, null=True, related_name="artifacts")
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=200, blank=True)
    reference = models.CharField(max_length=1000, blank=True)
    digest = models.CharField(max_length=200, blank=True)
    commit = models.CharField(max_length=100, blank=True)
    link = models.URLField(max_length=1000, blank=True)
    environment = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["environment", "name", "-id"], name="artifact_what_is_where"),
            models.Index(
                fields=["name", "environment", "-id"], name="artifact_where_is_what", condition=~Q(environment="")
            ),
            models.Index(OpClass(Upper("version"), "text_pattern_ops"), name="artifact_version"),
            models.Index(OpClass(Upper("digest"), "text_pattern_ops"), name="artifact_digest"),
            models.Index(OpClass(Upper("commit"), "text_pattern_ops"), name="artifact_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()
