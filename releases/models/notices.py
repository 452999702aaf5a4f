"""What people are told: that something waits for them, is on hold or overdue, what was asked or decided about an
exception from a freeze, or that somebody mentioned them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from config.preferences import NOTICES
from releases.models.blueprint import ReleaseGroup
from releases.models.calendars import FreezeException
from releases.models.release import Release
from releases.models.runs import ActivityRun


class Notice(models.Model):
    """Something that one person is told once; `key` is what it is about, so that no message makes it twice.

    It is about an activity, or about an exception from a freeze (`decided`: its key ends with what was decided).

    `mail_at` is when it is to be sent by mail, if it still is: while the mail server is away, it is put off.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20, choices=list(NOTICES.items()))
    key = models.CharField(max_length=100)
    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, null=True, related_name="+")
    freeze_exception = models.ForeignKey(FreezeException, models.CASCADE, null=True, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True, help_text="Who mentioned them, asked or decided.")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="notice_once"),
            models.CheckConstraint(
                condition=Q(activity_run__isnull=False, freeze_exception=None)
                | Q(activity_run=None, freeze_exception__isnull=False),
                name="notice_is_about_one_thing",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_of_person"),
            models.Index(fields=["user"], name="notice_unread", condition=Q(read_at=None)),
            models.Index(fields=["mail_at"], name="notice_mail", condition=Q(mail_at__isnull=False)),
        ]

    def __str__(self) -> str:
        if self.freeze_exception is not None:
            return self._of_exception(self.freeze_exception)
        assert self.activity_run is not None
        name = self.activity_run.name
        if self.kind == "mentioned":
            return f"{self.actor_name} mentioned you in {name}"
        if self.kind == "held":
            return f"{name} failed and waits for your decision"
        return f"{name} is overdue" if self.kind == "overdue" else f"{name} waits for you"

    def get_absolute_url(self) -> str:
        """Return the address of what it is about."""
        if self.activity_run is not None:
            return reverse("releases:activity", args=[self.activity_run.release_id, self.activity_run.pk])
        return reverse("freezes:show", args=[self._exception.freeze.slug]) + "#exceptions"

    def _of_exception(self, exception: FreezeException) -> str:
        if self.kind == "exception":
            return f"{self.actor_name} asks for an exception from {exception.freeze}"
        state = self.key.rpartition(":")[2]
        by = f" by {self.actor_name}" if self.actor_name else ""
        return f"The exception from {exception.freeze} that you asked for is {state}{by}"

    @property
    def release(self) -> Release | None:
        """The release that it is about; None when it is about all of a group's."""
        return self.activity_run.release if self.activity_run else self._exception.release

    @property
    def about(self) -> Release | ReleaseGroup | None:
        """The release or the group that it is about."""
        return self.activity_run.release if self.activity_run else self._exception.release or self._exception.group

    @property
    def _exception(self) -> FreezeException:
        assert self.freeze_exception is not None
        return self.freeze_exception
