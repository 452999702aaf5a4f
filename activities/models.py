"""How one thing is done: store activities, their revisions, connections and secrets."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from activities.fields import DocumentField

SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
slug_validator = RegexValidator(SLUG, "Use 1 to 64 lower-case letters, digits and hyphens, such as 'build-service'.")


class Secret(models.Model):
    """A named secret value, encrypted (activities/secrets.py). Documents and snapshots only ever hold its name."""

    name = models.CharField(max_length=64, unique=True, validators=[slug_validator])
    ciphertext = models.BinaryField(editable=False)
    updated_at = models.DateTimeField()
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["name"]
        permissions = [("use_secret", "Can refer to secret")]

    def __str__(self) -> str:
        return self.name


class Connection(models.Model):
    """How to reach a pipeline engine: which provider, its settings, the secret it needs, and its limits."""

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    provider = models.CharField(max_length=40)
    settings = models.JSONField(default=dict, blank=True)
    secret = models.ForeignKey(Secret, models.PROTECT, null=True, blank=True, related_name="connections")
    limits = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Activity(models.Model):
    """A reusable activity in the Activity Store. `draft` is its document as last edited; revisions are what runs."""

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=20)
    draft = DocumentField()
    version = models.PositiveIntegerField(default=1, help_text="Counts edits of the draft; the API's ETag.")

    class Meta:
        ordering = ["slug"]
        verbose_name = "store activity"
        verbose_name_plural = "activity store"
        permissions = [("publish_activity", "Can publish store activity")]

    def __str__(self) -> str:
        return self.name


class ActivityRevision(models.Model):
    """An immutable, numbered publication of a store activity; the database refuses to change it."""

    activity = models.ForeignKey(Activity, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    document = DocumentField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    published_by_name = models.CharField(max_length=150)

    class Meta:
        ordering = ["activity", "-number"]
        constraints = [models.UniqueConstraint(fields=["activity", "number"], name="activity_revision_number_once")]
        triggers = [
            pgtrigger.ReadOnly(name="activity_revision_is_fixed", exclude=["published_by", "document"]),
            pgtrigger.Protect(name="activity_document_is_fixed", operation=pgtrigger.UpdateOf("document")),
            pgtrigger.Protect(name="activity_revision_stays", operation=pgtrigger.Delete),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.activity.slug}@{self.number}"


class SecretUserPermission(UserObjectPermissionBase):
    """A person's permission on one secret."""

    content_object = models.ForeignKey(Secret, models.CASCADE)


class SecretGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one secret."""

    content_object = models.ForeignKey(Secret, models.CASCADE)


class ActivityUserPermission(UserObjectPermissionBase):
    """A person's permission on one store activity."""

    content_object = models.ForeignKey(Activity, models.CASCADE)


class ActivityGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one store activity."""

    content_object = models.ForeignKey(Activity, models.CASCADE)


class ConnectionUserPermission(UserObjectPermissionBase):
    """A person's permission on one connection."""

    content_object = models.ForeignKey(Connection, models.CASCADE)


class ConnectionGroupPermission(GroupObjectPermissionBase):
    """A group's permission on one connection."""

    content_object = models.ForeignKey(Connection, models.CASCADE)
