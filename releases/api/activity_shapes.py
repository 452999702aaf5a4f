"""What answers about one activity of a release look like, and what people say about it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from config.rest.bodies import Input
from config.rest.describe import Anything
from releases.api.shapes import ACTIVITY_STATES, KINDS, ReasonedIn, ValueOut
from releases.models import Attempt, Comment, Evidence, SignOff


class AttemptOut(serializers.ModelSerializer[Attempt]):
    """One try: how it went, and where to see it in the pipeline engine.

    `progress` is how far it is, or was at its end, if its engine tells: `text`, `share` from 0 to 1, and perhaps a
    `curve` with its `points` as seconds since 1970 and value.
    """

    link = serializers.CharField(read_only=True)  # may be empty, which no address is
    outputs = serializers.DictField(read_only=True)
    progress = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = Attempt
        fields = ("number", "status", "started_at", "finished_at", "error", "reference", "link", "outputs", "progress")
        read_only_fields = fields


class LogOut(serializers.Serializer[Any]):
    """A piece of an attempt's log; ask again from `next_offset` for more. Once `over`, nothing follows `size`."""

    attempt = serializers.IntegerField()
    offset = serializers.IntegerField()
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    next_offset = serializers.IntegerField()
    size = serializers.IntegerField()
    over = serializers.BooleanField()


class TaskOut(serializers.Serializer[Any]):
    """A task; `may` says whether you may mark it done or open."""

    id = serializers.CharField()
    name = serializers.CharField()
    groups = serializers.ListField(child=serializers.CharField())
    required = serializers.BooleanField()
    expected_seconds = serializers.FloatField(allow_null=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    done_at = serializers.DateTimeField(allow_null=True)
    done_by = serializers.CharField(allow_blank=True)
    may = serializers.BooleanField()


class FieldOut(serializers.Serializer[Any]):
    """A field of the form, as declared in the process, with the answer so far or its default."""

    name = serializers.CharField()
    type = serializers.CharField()
    required = serializers.BooleanField()
    declaration = serializers.DictField()
    value = Anything(allow_null=True)


class RuleOut(serializers.Serializer[Any]):
    """An approval rule: who may sign, how many must, who has, how many are missing."""

    names = serializers.ListField(child=serializers.CharField())
    need = serializers.IntegerField()
    missing = serializers.IntegerField()
    signers = serializers.ListField(child=serializers.CharField())


class SignOffOut(serializers.ModelSerializer[SignOff]):
    """A sign-off, with the digest of what was signed; void once what was signed has changed."""

    user = serializers.CharField(source="user_name", read_only=True)

    class Meta:
        model = SignOff
        fields = ("id", "attempt", "user", "decision", "comment", "digest", "at", "void_at")
        read_only_fields = fields


class EvidenceOut(serializers.ModelSerializer[Evidence]):
    """A file that proves something; it is downloaded at `evidence/<id>/`."""

    uploaded_by = serializers.CharField(source="uploaded_by_name", read_only=True)

    class Meta:
        model = Evidence
        fields = ("id", "attempt", "name", "size", "sha256", "at", "uploaded_by")
        read_only_fields = fields


class CommentOut(serializers.ModelSerializer[Comment]):
    """A remark."""

    author = serializers.CharField(source="author_name", read_only=True)

    class Meta:
        model = Comment
        fields = ("id", "author", "body", "at")
        read_only_fields = fields


class ActivityRunOut(serializers.Serializer[Any]):
    """An activity of a release: what it was given, what became of it, what is asked, what you may do now (`may`)."""

    id = serializers.IntegerField()
    release = serializers.IntegerField()
    release_name = serializers.CharField()
    phase = serializers.IntegerField()
    phase_name = serializers.CharField()
    path = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    state = serializers.ChoiceField(choices=ACTIVITY_STATES)
    required = serializers.BooleanField()
    partial = serializers.BooleanField()
    owners = serializers.ListField(child=serializers.CharField())
    needs = serializers.ListField(child=serializers.CharField())
    item = Anything(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    opens_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue = serializers.BooleanField()
    opened_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    deadline_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    inputs = ValueOut(many=True)
    outputs = serializers.DictField()
    instructions = serializers.CharField(allow_blank=True)
    attempts = AttemptOut(many=True)
    log = LogOut()
    tasks = TaskOut(many=True)
    form = FieldOut(many=True)
    approval = RuleOut(many=True)
    sign_offs = SignOffOut(many=True)
    evidence_required = serializers.IntegerField()
    evidence = EvidenceOut(many=True)
    comments = CommentOut(many=True)
    missing = serializers.ListField(child=serializers.CharField())
    may = serializers.ListField(child=serializers.CharField())


class RetryIn(Input):
    """Inputs to change for the next attempt, and why."""

    inputs = serializers.DictField(required=False, default=dict)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class ReplaceIn(Input):
    """The process to run in place of the activity.

    `with` are its inputs, as in a document; `outputs` names for each output of the activity the one that stands in.
    """

    process = serializers.CharField(max_length=64)
    outputs = serializers.DictField(child=serializers.CharField(max_length=200), required=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields, the one included whose name is a word of the language."""
        return {**super().get_fields(), "with": serializers.DictField(required=False)}


class IgnoreIn(ReasonedIn):
    """Why the failure does not matter, and outputs that stand in for those it did not make."""

    outputs = serializers.DictField(required=False, default=dict)


class FormIn(Input):
    """The answers, by field."""

    values = serializers.DictField()


class SignOffIn(Input):
    """A decision; a rejection needs its reason as the comment."""

    decision = serializers.ChoiceField(choices=["approved", "rejected"])
    comment = serializers.CharField(required=False, allow_blank=True, max_length=5000, default="")


class SignalIn(Input):
    """What the signal says."""

    payload = serializers.DictField(required=False, default=dict)


class SignalOut(serializers.Serializer[Any]):
    """Whether the signal was the one waited for; if not, it was put aside."""

    matched = serializers.BooleanField()
    activity = ActivityRunOut()


class CommentIn(Input):
    """A remark, in Markdown."""

    body = serializers.CharField(max_length=20_000)


class EvidenceIn(Input):
    """A file."""

    file = serializers.FileField(allow_empty_file=True)
