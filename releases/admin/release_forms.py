"""Forms about a release's time: moving it, and asking for an exception from a freeze."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from releases.findings import Finding
from releases.services import exempting
from releases.services.moving import ALL, FOLLOWING, THIS

RELEASE, GROUP = "release", "group"
_SCOPES = ((THIS, "Just this one"), (FOLLOWING, "This one and those that follow"), (ALL, "All of its group"))


class MoveForm(forms.Form):
    """To when a release is moved, and which others move with it."""

    planned_start_at = forms.SplitDateTimeField(
        label="New start", widget=UnfoldAdminSplitDateTimeWidget, help_text="In UTC."
    )
    planned_end_at = forms.SplitDateTimeField(
        label="New end", required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="Empty: it keeps its length."
    )
    scope = forms.ChoiceField(label="Which", choices=_SCOPES, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, is_series: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_series:
            self.fields["scope"].choices = _SCOPES[:1]  # type: ignore[attr-defined]


class AskForm(forms.Form):
    """From which freeze, until when, for what and why."""

    freeze = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    target = forms.ChoiceField(label="For", widget=UnfoldAdminSelectWidget)
    expires_at = forms.SplitDateTimeField(
        label="Until", widget=UnfoldAdminSplitDateTimeWidget, help_text="In UTC: when the exception expires."
    )
    reason = forms.CharField(
        label="Why", widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), max_length=5000, required=False
    )

    def offer(self, findings: Iterable[Finding], *, group: str) -> None:
        """Offers the freezes of these findings, and its group (by name) beside the release."""
        chosen = {one.path: one.message for one in findings}
        self.fields["freeze"].choices = list(chosen.items())  # type: ignore[attr-defined]
        groups = [(GROUP, f"Every release of {group}")] if group else []
        self.fields["target"].choices = [(RELEASE, "This release"), *groups]  # type: ignore[attr-defined]


def expiry_of(findings: Iterable[Finding], planned_end_at: datetime | None, *, now: datetime) -> datetime | None:
    """Until when an exception is needed: the freezes' end, or the release's if that is sooner or they have none.

    Never later than an exception may expire.
    """
    ends = [one.until for one in findings if one.until is not None]
    known = [moment for moment in (max(ends, default=None), planned_end_at) if moment is not None]
    return min([*known, now + exempting.LONGEST]) if known else None
