"""What people are told: that something waits for them, is on hold or overdue, or that somebody mentioned them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.preferences import NOTICES
from releases.models.runs import ActivityRun


class Notice(models.Model):
    """Something that one person is told once; `key` is what it is about, so that no message makes it twice.

    `mail_at` is when it is to be sent by mail, if it still is: while the mail server is away, it is put off.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20, choices=list(NOTICES.items()))
    key = models.CharField(max_length=100)
    activity_run = models.ForeignKey(ActivityRun, models.CASCADE, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True, help_text="Who mentioned them.")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notice_once")]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_of_person"),
            models.Index(fields=["user"], name="notice_unread", condition=Q(read_at=None)),
            models.Index(fields=["mail_at"], name="notice_mail", condition=Q(mail_at__isnull=False)),
        ]

    def __str__(self) -> str:
        name = self.activity_run.name
        if self.kind == "mentioned":
            return f"{self.actor_name} mentioned you in {name}"
        if self.kind == "held":
            return f"{name} failed and waits for your decision"
        return f"{name} is overdue" if self.kind == "overdue" else f"{name} waits for you"
