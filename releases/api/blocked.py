"""What the answer to "why blocked" looks like."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from releases.api.shapes import ACTIVITY_STATES, KINDS, RELEASE_STATES


class LinkOut(serializers.Serializer[Any]):
    """What something waits for. `kind` never changes its meaning, `words` say the same to a person.

    `path` is the phase or activity it is about, `subject` anything else (`freeze:year-end`, `task:look`); `until` is
    when it passes by itself and `since` when it began, if known; `who` can move it on (`group:qa`, `user:ann`).

    Kinds of what has not opened: `phase` and `container` (what it lies in is not open), `dependency`,
    `dependency_failed` (a failure on hold is behind it), `parallel`, `opens`, `freeze`, `paused`, `opening` (nothing is
    in its way). Of what has: `queued`, `retry`, `running`, `wait`, `signal`, `on_hold`, and of people: `task`, `form`,
    `sign_off`, `evidence`, `done`, with `role_unfilled` behind them. Of a release: `draft`, `planned_start`,
    `next_try`, `no_auto_start`, `missed`, `cancelled`, and the codes of what would stop its start. `more` counts links
    that are left out.
    """

    kind = serializers.CharField()
    words = serializers.CharField()
    path = serializers.CharField(allow_blank=True)
    subject = serializers.CharField(allow_blank=True)
    until = serializers.DateTimeField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    who = serializers.ListField(child=serializers.CharField())

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields, with what it waits for in turn."""
        return {**super().get_fields(), "links": LinkOut(many=True)}


class BlockedOut(serializers.Serializer[Any]):
    """A phase or activity and what it waits for.

    `earliest_at` is the earliest it may start by what is known now; if that is null before the start, `hangs_on` says
    on what it hangs.
    """

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=["phase", *KINDS])
    path = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ACTIVITY_STATES)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    earliest_at = serializers.DateTimeField(allow_null=True)
    hangs_on = serializers.CharField(allow_blank=True)
    links = LinkOut(many=True)


class ReleaseBlockedOut(serializers.Serializer[Any]):
    """A release and what it waits for, to start or to come to its end; `runs` are its idle phases and activities."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RELEASE_STATES)
    earliest_at = serializers.DateTimeField(allow_null=True)
    hangs_on = serializers.CharField(allow_blank=True)
    links = LinkOut(many=True)
    runs = BlockedOut(many=True)
