"""Phases and activities in motion: one row for each node of a release's tree, and every attempt at it.

`node` is the ordinal of the node in the release's snapshot; `items` says which item of the enclosing `for_each`
containers the row belongs to ("" outside of any, "2" or "2.0" inside). Together they name a row of a release.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from activities.fields import DocumentField
from releases.models.release import Release
from releases.states import ACTIVITY_SETTLED, PHASE_SETTLED, ActivityState, PhaseState


def finished_when(settled: frozenset[str] | frozenset[ActivityState] | frozenset[PhaseState]) -> Q:
    """Return the check that a finish time is set exactly in the `settled` states."""
    states = sorted(str(state) for state in settled)
    return Q(finished_at__isnull=False, state__in=states) | (Q(finished_at__isnull=True) & ~Q(state__in=states))


class PhaseRun(models.Model):
    """A phase inside a release; `parent` is the subprocess activity that holds it, if one does."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="phase_runs", db_index=False)
    parent = models.ForeignKey("ActivityRun", models.CASCADE, null=True, related_name="phase_runs", db_index=False)
    node = models.PositiveIntegerField()
    items = models.CharField(max_length=60, blank=True)
    path = models.CharField(max_length=600)
    slug = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    owners = ArrayField(models.CharField(max_length=200), default=list)
    state = models.CharField(max_length=20, choices=[(s.value, s.value) for s in PhaseState], default="pending")
    inputs = models.JSONField(default=dict)
    sources = models.JSONField(default=dict)
    outputs = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    opens_at = models.DateTimeField(null=True, help_text="It does not open before.")
    due_at = models.DateTimeField(null=True, help_text="When it should be over; never changes its state.")
    held_until = models.DateTimeField(null=True, help_text="When it may open, as last looked at.")
    held_by = models.JSONField(null=True, help_text="What keeps it from opening until then.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["node", "items"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["release", "node", "items"], name="phase_run_once"),
            models.CheckConstraint(condition=finished_when(PHASE_SETTLED), name="phase_run_finished_when_settled"),
        ]
        indexes = [
            models.Index(fields=["parent"], name="phase_run_inside", condition=Q(parent__isnull=False)),
            models.Index(fields=["held_until"], name="phase_run_held", condition=Q(held_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name


class ActivityRun(models.Model):
    """An activity inside a release; `parent` is the `for_each` container whose item it is, if it is one.

    `attempt` counts the tries so far; a result is recorded only for the attempt and state it belongs to.
    `next_look_at` is when the tick should do something about it: send it, look at it, or let its moment come.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="activity_runs", db_index=False)
    phase = models.ForeignKey(PhaseRun, models.CASCADE, related_name="activity_runs")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="item_runs", db_index=False)
    node = models.PositiveIntegerField()
    items = models.CharField(max_length=60, blank=True)
    path = models.CharField(max_length=700)
    slug = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20)
    required = models.BooleanField(default=True)
    partial = models.BooleanField(default=False, help_text="A container in which something was ignored.")
    state = models.CharField(max_length=20, choices=[(s.value, s.value) for s in ActivityState], default="pending")
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0, help_text="Tries since a person last decided; the retry policy's.")
    item = models.JSONField(null=True)
    item_count = models.PositiveIntegerField(default=0, help_text="How many items an open for_each has.")
    inputs = models.JSONField(default=dict)
    sources = models.JSONField(default=dict)
    changed_inputs = models.JSONField(default=dict, help_text="Inputs a person changed for a retry.")
    outputs = models.JSONField(default=dict)
    work = DocumentField(default=dict, help_text="What is to be done, with its expressions filled in.")
    error = models.TextField(blank=True)
    reason = models.TextField(blank=True, help_text="Why a person ignored, failed or retried it.")
    next_look_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True, help_text="When it times out.")
    opens_at = models.DateTimeField(null=True, help_text="It does not open before.")
    due_at = models.DateTimeField(null=True, help_text="When it should be over; never changes its state.")
    held_until = models.DateTimeField(null=True, help_text="When it may open, as last looked at.")
    held_by = models.JSONField(null=True, help_text="What keeps it from opening until then.")
    tell_at = models.DateTimeField(null=True, help_text="When those it waits for are told.")
    opened_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["node", "items"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["release", "node", "items"], name="activity_run_once"),
            models.CheckConstraint(
                condition=finished_when(ACTIVITY_SETTLED), name="activity_run_finished_when_settled"
            ),
        ]
        indexes = [
            models.Index(fields=["next_look_at"], name="activity_look", condition=Q(next_look_at__isnull=False)),
            models.Index(fields=["held_until"], name="activity_run_held", condition=Q(held_until__isnull=False)),
            models.Index(fields=["tell_at"], name="activity_run_tell", condition=Q(tell_at__isnull=False)),
            models.Index(fields=["parent"], name="activity_run_item", condition=Q(parent__isnull=False)),
            models.Index(
                fields=["release"],
                name="activity_run_matters",
                condition=Q(state__in=["waiting", "on_hold", "failed"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """One try at an activity. `reference` and `link` are the engine's name for it and its page there."""

    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=20, default="running")
    inputs = models.JSONField(default=dict)
    work = DocumentField(default=dict)
    outputs = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    reference = models.TextField(blank=True)
    link = models.URLField(max_length=1000, blank=True)
    looks = models.PositiveIntegerField(default=0)
    progress = models.JSONField(null=True, help_text="How far it is, or was at its end, as its engine tells.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    cancel_at = models.DateTimeField(null=True, help_text="When its runner is to be asked, again, to end it.")
    connection = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="Whom it is followed at."
    )
    follow_at = models.DateTimeField(null=True, help_text="When the follower, not a worker, does what comes next.")

    class Meta:
        ordering = ["activity_run", "number"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["activity_run", "number"], name="attempt_once"),
            models.CheckConstraint(
                condition=Q(status="running", finished_at=None) | (~Q(status="running") & Q(finished_at__isnull=False)),
                name="attempt_finished_when_over",
            ),
        ]
        indexes = [
            models.Index(fields=["cancel_at"], name="attempt_cancel", condition=Q(cancel_at__isnull=False)),
            models.Index(
                fields=["connection", "follow_at"], name="attempt_follow", condition=Q(follow_at__isnull=False)
            ),
            models.Index(
                fields=["connection", "reference"], name="attempt_followed", condition=Q(follow_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.activity_run} #{self.number}"


class AttemptLog(models.Model):
    """What an attempt wrote, masked, as far as it has been read.

    `offset` and `parts` are the reader's place in it: Outcome's `log_offset` and `log_parts`.
    """

    attempt = models.OneToOneField(Attempt, models.CASCADE, primary_key=True, related_name="log")
    text = models.TextField(blank=True)
    offset = models.BigIntegerField(default=0)
    parts = models.TextField(blank=True, default="", db_default="")

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"Log of {self.attempt}"
