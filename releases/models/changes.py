"""What a release carries: the commits it is made of and the tickets it closes."""

from __future__ import annotations

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from releases.models.release import Release
from releases.models.runs import ActivityRun

KINDS = ("commit", "ticket")


class Change(models.Model):
    """A commit or a ticket that a release carries; the first who names it is kept, saying it again changes nothing.

    `activity_run` is the activity whose outputs named it, null if somebody attached it.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="changes", db_index=False)
    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, null=True, related_name="changes", db_index=False)
    kind = models.CharField(max_length=10, choices=[(kind, kind.title()) for kind in KINDS])
    repository = models.CharField(max_length=200, blank=True)
    reference = models.CharField(max_length=200)
    title = models.CharField(max_length=300, blank=True)
    author = models.CharField(max_length=200, blank=True)
    link = models.URLField(max_length=1000, blank=True)
    at = models.DateTimeField()
    added_by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["release", "kind", "repository", "reference"], name="change_once"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="change_is_a_commit_or_a_ticket"),
        ]
        indexes = [
            models.Index(fields=["activity_run"], name="change_of_run", condition=Q(activity_run__isnull=False)),
            models.Index(OpClass(Upper("reference"), "text_pattern_ops"), name="change_reference"),
        ]

    def __str__(self) -> str:
        return self.reference
