"""What answers about releases look like: the tree, a phase, values with their sources, events, artifacts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from config.models import Event
from config.rest.bodies import Input
from config.rest.describe import Anything
from releases.health import HEALTH
from releases.models import Artifact
from releases.states import ActivityState, PhaseState, ReleaseState

KINDS = ["automated", "manual", "subprocess", "signal", "wait", "for_each"]
RELEASE_STATES = [state.value for state in ReleaseState]
PHASE_STATES = [state.value for state in PhaseState]
ACTIVITY_STATES = [state.value for state in ActivityState]


class ValueOut(serializers.Serializer[Any]):
    """One input with its value and where that came from; a secret's value is a reference to it."""

    name = serializers.CharField()
    type = serializers.CharField()
    value = Anything(allow_null=True)
    source = serializers.CharField()
    required = serializers.BooleanField()
    description = serializers.CharField(allow_blank=True)


class ActivityNodeOut(serializers.Serializer[Any]):
    """An activity in the tree: a subprocess holds phases, a `for_each` one item after the other.

    It is `overdue` once `due_at` has passed and it has not settled; that changes nothing about its state.
    """

    id = serializers.IntegerField()
    path = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    state = serializers.ChoiceField(choices=ACTIVITY_STATES)
    required = serializers.BooleanField()
    partial = serializers.BooleanField()
    attempts = serializers.IntegerField()
    item = Anything(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    opened_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    needs = serializers.ListField(child=serializers.CharField())

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields, those that hold further nodes included."""
        fields = super().get_fields()
        fields["phases"] = PhaseNodeOut(many=True)
        fields["items"] = ActivityNodeOut(many=True)
        return fields


class PhaseNodeOut(serializers.Serializer[Any]):
    """A phase in the tree."""

    id = serializers.IntegerField()
    path = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=PHASE_STATES)
    owners = serializers.ListField(child=serializers.CharField())
    error = serializers.CharField(allow_blank=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    needs = serializers.ListField(child=serializers.CharField())
    activities = ActivityNodeOut(many=True)


class TreeOut(serializers.Serializer[Any]):
    """A release at a glance, with everything in it."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RELEASE_STATES)
    health = serializers.ChoiceField(choices=["", *HEALTH])
    phases = PhaseNodeOut(many=True)


class PhaseRunOut(serializers.Serializer[Any]):
    """A phase run with its values; `may` names what you may do with it now."""

    id = serializers.IntegerField()
    release = serializers.IntegerField()
    path = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=PHASE_STATES)
    owners = serializers.ListField(child=serializers.CharField())
    needs = serializers.ListField(child=serializers.CharField())
    error = serializers.CharField(allow_blank=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    inputs = ValueOut(many=True)
    outputs = serializers.DictField()
    may = serializers.ListField(child=serializers.CharField())


class EventOut(serializers.ModelSerializer[Event]):
    """One change, and who made it."""

    actor = serializers.CharField(source="actor_name", read_only=True)
    release = serializers.IntegerField(source="release_id", read_only=True, allow_null=True)
    before = Anything(read_only=True, allow_null=True)
    after = Anything(read_only=True, allow_null=True)

    class Meta:
        model = Event
        fields = (
            "id", "at", "actor", "verb", "subject_type", "subject_id", "subject_name", "release", "before", "after",
            "reason", "request_id",
        )  # fmt: skip
        read_only_fields = fields


class ArtifactOut(serializers.ModelSerializer[Artifact]):
    """Something a release made or put somewhere."""

    activity_run = serializers.IntegerField(source="activity_run_id", read_only=True, allow_null=True)
    link = serializers.CharField(read_only=True)  # may be empty, which no address is

    class Meta:
        model = Artifact
        fields = ("id", "activity_run", "name", "version", "reference", "digest", "commit", "link", "environment", "at")
        read_only_fields = fields


class WhyIn(Input):
    """A reason, which may be left out."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class ReasonedIn(Input):
    """A reason, which is required."""

    reason = serializers.CharField(max_length=5000)


class NothingIn(Input):
    """Nothing needs to be said."""
