"""Actions that ask before they do something: what will happen, a box for a reason where one is kept, and a button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin.forms import faults_of, show
from config.admin.scoped import ScopedAdmin
from config.errors import NotPermitted, PilothouseError


class ReasonForm(forms.Form):
    """A box for a reason; whether it says enough is for the service to judge."""

    reason = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def __init__(self, *args: Any, must: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        box = self.fields["reason"]
        box.label = "Why, for those who read the trail" if must else "Why (optional), for those who read the trail"
        box.widget.attrs["required"] = must


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before `do(actor, row, now=…)` is done: the words of its button, and what that does.

    `keeps` is the name under which `do` takes a reason, empty when it takes none; `must` says that it has to have one.
    """

    title: str
    words: str
    do: Callable[..., object]
    keeps: str = ""
    must: bool = False


class AskingAdmin(ScopedAdmin):
    """An admin with actions on single rows that ask first; `questions` has one for each verb."""

    questions: ClassVar[Mapping[str, Question]] = {}

    def verbs(self, request: HttpRequest, obj: Any) -> list[str]:
        """What this person may do with the row as it is now: the names of actions."""
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """The actions that this person may do now."""
        row = self.get_object(request, str(object_id))
        verbs = self.verbs(request, row) if row is not None else []
        offered: list[Any] = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.method.original_function_name in verbs]

    def ask(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Asks; a POST does it, or says what is wrong. Raises Http404 and PermissionDenied."""
        row, question = self.found(request, object_id), self.questions[verb]
        form = ReasonForm(request.POST if request.method == "POST" else None, must=question.must)
        if form.is_bound and self._is_done(request, row, question, form):
            self.message_user(request, f"Done: {question.title.lower()} {row}.", messages.SUCCESS)
            return HttpResponseRedirect(self.url_of("change", row.pk))
        context = {"question": question, "form": form, "is_possible": verb in self.verbs(request, row)}
        status = 400 if form.is_bound else 200
        return self.page(request, "admin/pilothouse/act.html", row, question.title, context, status=status)

    def _is_done(self, request: HttpRequest, row: Any, question: Question, form: ReasonForm) -> bool:
        if not form.is_valid():
            return False
        kept = {question.keeps: form.cleaned_data["reason"]} if question.keeps else {}
        try:
            question.do(request.user, row, now=timezone.now(), **kept)
        except NotPermitted as error:
            raise PermissionDenied(error.message) from error
        except PilothouseError as error:
            show(form, faults_of(error), {question.keeps: "reason"})
            return False
        return True
