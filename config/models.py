"""Tables of the site itself: the trail, API tokens, what people prefer, and remembered answers."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models


class Event(models.Model):
    """One change, written in the transaction that made it: timeline, audit trail and outbox at once.

    Who acted and what it happened to are kept as text too, so that history outlives people and things.
    `release_id` is a plain number: the trail is never deleted along with what it tells of.
    """

    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=40)
    subject_id = models.BigIntegerField(null=True)
    subject_name = models.CharField(max_length=500)
    release_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["release_id", "id"], name="event_of_release"),
            models.Index(
                fields=["subject_type", "subject_id", "id"],
                name="event_of_subject",
                condition=models.Q(release_id__isnull=True),
            ),
            models.Index(fields=["actor_name", "id"], name="event_by_actor"),
            models.Index(fields=["actor"], name="event_by_person", condition=models.Q(actor__isnull=False)),
            models.Index(fields=["verb", "id"], name="event_by_verb"),
            models.Index(fields=["subject_type", "subject_id"], name="event_by_subject"),
            models.Index(fields=["request_id"], name="event_by_request", condition=~models.Q(request_id="")),
            models.Index(fields=["at", "id"], name="event_by_time"),
            GinIndex(SearchVector("reason", config="simple"), name="event_by_reason", condition=~models.Q(reason="")),
        ]
        default_permissions = ("view",)
        triggers = [
            pgtrigger.ReadOnly(name="event_is_history", exclude=["actor"]),
            pgtrigger.Protect(name="event_stays", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.verb} {self.subject_name}"


class ApiToken(models.Model):
    """A person's key to the REST API. Only the SHA-256 digest of the key is kept; `prefix` helps to recognise it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Preference(models.Model):
    """What a person has chosen for themselves. An empty `zone` is that of the browser they happen to use.

    `unmailed` are the kinds of notices which they read on the pages only.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="preference")
    zone = models.CharField(max_length=60, blank=True, default="")
    unmailed = ArrayField(models.CharField(max_length=20), default=list, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)


class IdempotencyKey(models.Model):
    """The answer once given to a request that carried an `Idempotency-Key`, so that a repeat gets the same one.

    A row without a status belongs to a request which is still being answered.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key
