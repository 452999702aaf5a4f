"""What a draft's page offers besides its fields: check, publish, compare, export, revisions, used by."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from activities.admin import UsedBy
from config.admin.forms import faults_of
from config.admin.guarded import GuardedAdmin
from config.errors import InvalidInput, PilothouseError
from processes.diff import diff, shown
from processes.document import dump, refuse_unstorable
from processes.services import Verdict, used_by

DRAFT = "draft"


class DraftAdmin(UsedBy, GuardedAdmin):
    """A process or store activity: a draft that is published as numbered revisions."""

    revisions_model: ClassVar[str] = ""
    actions_detail: ClassVar[Any] = (
        "check_draft",
        "publish",
        {"title": "More", "icon": "more_horiz", "items": ["compare", "edit_text", "export", "revisions", "used_by"]},
    )

    def draft_of(self, obj: Any) -> dict[str, Any]:
        """The draft's document."""
        raise NotImplementedError

    def verdict_of(self, obj: Any) -> Verdict:
        """What publishing the draft now would say."""
        raise NotImplementedError

    def publish_draft(self, request: HttpRequest, obj: Any, reason: str) -> tuple[Any, bool]:
        """Publishes through the service; the revision, and whether it is new."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows, each with the number of its latest revision."""
        rows: QuerySet[Any] = super().get_queryset(request)
        found: QuerySet[Any] = rows.annotate(
            latest_number=Subquery(self.revisions_of(OuterRef("pk")).values("number")[:1])
        )
        return found

    def revisions_of(self, key: Any) -> QuerySet[Any]:
        """The revisions of a row, newest first."""
        table = self.model._meta.get_field("revisions").related_model
        owner = str(self.opts.model_name)
        rows: QuerySet[Any] = table._default_manager.filter(**{owner: key}).order_by("-number")
        return rows

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Publishing is offered to those who may."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        obj = self.get_object(request, str(object_id))
        missing = {verb for verb in ("publish", "change") if obj is None or not self.may(request, verb, obj)}
        needed = {"publish": "publish", "edit_text": "change"}
        return [one for one in offered if needed.get(one.method.original_function_name, "") not in missing]

    def uses_of(self, obj: Any) -> list[str]:
        """Who uses it."""
        return [str(use) for use in used_by(obj)]

    @action(description="Check draft", url_path="check", icon="fact_check")
    def check_draft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everything that would stop a publish, and every warning."""
        obj = self.found(request, object_id)
        return self._verdict_page(request, obj, "Check")

    @action(description="Publish", url_path="publish", icon="publish", variant=ActionVariant.PRIMARY)
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What would be published and what stops it; a POST publishes."""
        obj = self.found(request, object_id, "publish")
        if request.method != "POST":
            return self._verdict_page(request, obj, "Publish", is_publish=True)
        try:
            reason = request.POST.get("reason", "").strip()
            refuse_unstorable(reason)
            revision, is_new = self.publish_draft(request, obj, reason)
        except InvalidInput as error:
            verdict = Verdict(error.faults, ())
            return self._verdict_page(request, obj, "Publish", is_publish=True, verdict=verdict, status=400)
        except PilothouseError as error:
            return self.refuse(request, error, self.url_of("change", obj.pk))
        words = f"Revision {revision.number} was published."
        self.message_user(
            request, words if is_new else f"Revision {revision.number} says this already.", messages.SUCCESS
        )
        return HttpResponseRedirect(self.url_of("change", obj.pk))

    def _verdict_page(
        self,
        request: HttpRequest,
        obj: Any,
        title: str,
        *,
        is_publish: bool = False,
        verdict: Verdict | None = None,
        status: int = 200,
    ) -> HttpResponse:
        latest = self.revisions_of(obj.pk).first()
        context = {
            "verdict": verdict or self._verdict(obj),
            "latest": latest,
            "changes": shown(diff(latest.document, self.draft_of(obj))) if latest else [],
            "is_publish": is_publish,
            "may_publish": self.may(request, "publish", obj),
            "publish_address": self.url_of("publish", obj.pk),
        }
        return self.page(request, "admin/pilothouse/verdict.html", obj, title, context, status=status)

    def _verdict(self, obj: Any) -> Verdict:
        try:
            return self.verdict_of(obj)
        except PilothouseError as error:
            return Verdict(faults_of(error), ())

    @action(description="Compare", url_path="compare", icon="difference")
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What changed from one revision (or the draft) to another; from the latest one to the draft at first."""
        obj = self.found(request, object_id)
        numbers = [str(number) for number in self.revisions_of(obj.pk).values_list("number", flat=True)]
        old = request.GET.get("old", numbers[0] if numbers else DRAFT)
        new = request.GET.get("new", DRAFT)
        context = {
            "choices": [DRAFT, *numbers],
            "old": old,
            "new": new,
            "has_revisions": bool(numbers),
            "changes": shown(diff(self._document(obj, old), self._document(obj, new))),
        }
        return self.page(request, "admin/pilothouse/compare.html", obj, "Compare", context)

    def _document(self, obj: Any, chosen: str) -> dict[str, Any]:
        if chosen == DRAFT:
            return self.draft_of(obj)
        found = self.revisions_of(obj.pk).filter(number=int(chosen)).first() if chosen.isdecimal() else None
        if found is None:
            raise Http404("There is no such revision.")
        document: dict[str, Any] = found.document
        return document

    @action(description="Export YAML", url_path="export", icon="download")
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The draft as a YAML file."""
        obj = self.found(request, object_id)
        name = f'attachment; filename="{obj.slug}.yaml"'
        text = dump([self.draft_of(obj)])
        return HttpResponse(text, content_type="application/yaml", headers={"Content-Disposition": name})

    @action(description="Revisions", url_path="revisions", icon="history")
    def revisions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The list of this one's revisions."""
        obj = self.found(request, object_id)
        address = reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.revisions_model}_changelist")
        return HttpResponseRedirect(f"{address}?{self.opts.model_name}__id__exact={obj.pk}")
