"""What the calendar knows beside releases: days off, freezes as they really fall, exceptions, what a release books."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import DateTimeRangeField
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Q

from activities.models import slug_validator
from releases.models.blueprint import Freeze, ReleaseGroup
from releases.models.release import Release


class HolidayCalendar(models.Model):
    """Days off that a person imported, for cadences to name by its id; countries' own come from a library."""

    slug = models.CharField("id", max_length=64, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    imported_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """One day off."""

    calendar = models.ForeignKey(HolidayCalendar, models.CASCADE, related_name="days")
    on = models.DateField()
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["calendar", "on"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["calendar", "on"], name="holiday_once_per_day")]

    def __str__(self) -> str:
        return f"{self.on} {self.name}"


class FreezeWindow(models.Model):
    """One time a freeze really applies, from `starts_at` until before `ends_at`; without an end, until it is lifted."""

    freeze = models.ForeignKey(Freeze, models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by_name = models.CharField("lifted by", max_length=150, blank=True)

    class Meta:
        ordering = ["starts_at"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["freeze", "starts_at"], name="freeze_window_once"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="freeze_window_ends_after_it_starts"
            ),
        ]
        indexes = [models.Index(fields=["ends_at", "starts_at"], name="freeze_window_open")]

    def __str__(self) -> str:
        return f"{self.freeze}, {self.starts_at:%Y-%m-%d %H:%M}"


class FreezeException(models.Model):
    """Leave for a release, or a group's releases, to start in spite of a freeze: asked for, granted, expiring.

    It is for the freeze as it was when asked for: void once that has another scope or window.
    """

    class State(models.TextChoices):
        """Who moves it on: `pending`, whoever may grant it or asked for it; `granted`, whoever withdraws it; either,
        whoever gives the freeze another scope or window (`void`). The rest are final."""

        PENDING = "pending"
        GRANTED = "granted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        VOID = "void"

    freeze = models.ForeignKey(Freeze, models.CASCADE, related_name="exceptions")
    release = models.ForeignKey(Release, models.CASCADE, null=True, blank=True, related_name="freeze_exceptions")
    group = models.ForeignKey(ReleaseGroup, models.CASCADE, null=True, blank=True, related_name="freeze_exceptions")
    reason = models.TextField()
    expires_at = models.DateTimeField("expires")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    asked_at = models.DateTimeField("asked")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_by_name = models.CharField("asked by", max_length=150)
    decided_at = models.DateTimeField("decided", null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_by_name = models.CharField("decided by", max_length=150, blank=True)
    decision_reason = models.TextField("why it was decided so", blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("grant_freezeexception", "Can grant exceptions from freezes")]
        constraints = [
            models.CheckConstraint(
                condition=Q(release=None, group__isnull=False) | Q(release__isnull=False, group=None),
                name="freeze_exception_has_one_scope",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="freeze_exception_granted", condition=Q(state="granted"))]

    def __str__(self) -> str:
        return f"{self.release or self.group} in spite of {self.freeze}"

    @property
    def void_reason(self) -> str:
        """Why it no longer counts, if it is void."""
        is_void = self.state == self.State.VOID
        return "The scope or window of the freeze has changed since it was asked for; ask again." if is_void else ""


class BreakGlass(models.Model):
    """A release that somebody started in spite of what stopped it: a debt until somebody else signs it off.

    While it is unpaid, the next release of its group (or, ad hoc, of its process) does not start.
    """

    release = models.OneToOneField(Release, models.CASCADE, related_name="break_glass")
    reason = models.TextField()
    ignored = models.JSONField(default=list, help_text="What would have stopped it.")
    at = models.DateTimeField("started")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField("started by", max_length=150)
    signed_at = models.DateTimeField("signed off", null=True)
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    signed_by_name = models.CharField("signed off by", max_length=150, blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["release"], name="break_glass_unpaid", condition=Q(signed_at=None))]

    def __str__(self) -> str:
        return f"Break-glass start of {self.release}"


class Booking(models.Model):
    """What a release touches and when: `what` is `resource:cart`, `user:ann` or `group:qa`.

    From its planned window before it starts, from its start to its planned end while it runs, none once it is over.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="bookings", db_index=False)
    what = models.CharField(max_length=220)
    during = DateTimeRangeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["release", "what"], name="booked_once_by_a_release")]
        indexes = [GistIndex(fields=["what", "during"], name="booking_overlap")]

    def __str__(self) -> str:
        return f"{self.what} for {self.release}"


class Feed(models.Model):
    """A secret address that shows its owner's calendar to calendar programs. Only the secret's digest is kept."""

    class Kind(models.TextChoices):
        """What it shows: everything its owner may see, what concerns its owner, or one group's releases."""

        ALL = "all"
        MINE = "mine"
        GROUP = "group"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_feeds")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    group = models.ForeignKey(ReleaseGroup, models.CASCADE, null=True, blank=True, related_name="feeds")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="group", group__isnull=False) | (~Q(kind="group") & Q(group=None)),
                name="feed_names_its_group",
            )
        ]

    def __str__(self) -> str:
        return self.name
