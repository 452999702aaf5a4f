"""Activities of releases: looked at, decided about, answered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput, NotFound
from config.permissions import visible_by_any
from config.rest.bodies import UploadParser, given
from config.rest.describe import LOG_PARAMETERS, describe
from config.rest.views import View, whole_number
from processes.models import Process
from releases import policy, reading
from releases.api.activity_shapes import (
    ActivityRunOut,
    CommentIn,
    EvidenceIn,
    FormIn,
    IgnoreIn,
    LogOut,
    ReplaceIn,
    RetryIn,
    SignalIn,
    SignalOut,
    SignOffIn,
)
from releases.api.blocked import BlockedOut
from releases.api.shapes import NothingIn, WhyIn
from releases.models import ActivityRun
from releases.reading.logs import MOST, TAIL
from releases.services import answering, running


class ActivityRuns(View):
    """Activities of the releases the caller may see. Every action answers with the activity as it is then."""

    lookup_value_converter = "row"
    pagination_class = None
    serializer_class = ActivityRunOut
    table = ActivityRun
    query: ClassVar[dict[str, set[str]]] = {"log": {"attempt", "offset", "limit"}}

    def queryset_for(self, request: Request) -> QuerySet[Any]:
        """Return the activities of visible releases."""
        found = ActivityRun.objects.select_related("phase", "release__process", "release__group")
        return found.filter(release__in=policy.visible_releases(request.user))

    @describe("Look at an activity of a release.")
    def retrieve(self, request: Request, pk: str) -> Response:
        """Answer with everything about it."""
        return self._shown(pk)

    @describe(
        "See why an activity waits. Each link says what it waits for, who can move it on, and what that waits for.",
        gives=BlockedOut,
    )
    @action(detail=True)
    def blocked(self, request: Request, pk: str) -> Response:
        """Answer with the whole chain; it is empty once the activity has settled."""
        return Response(BlockedOut(reading.run_blocked(self.one(pk=pk), now=timezone.now())).data)

    @describe("Read the log of an attempt, a piece at a time.", gives=LogOut, parameters=LOG_PARAMETERS)
    @action(detail=True)
    def log(self, request: Request, pk: str) -> Response:
        """Answer with a piece of the log."""
        run = self.one(pk=pk)
        attempt, offset = whole_number(request, "attempt"), whole_number(request, "offset")
        limit = whole_number(request, "limit", most=MOST)
        log = reading.log_of(run, attempt=attempt, offset=offset, limit=TAIL if limit is None else limit)
        return Response(LogOut(log).data)

    @describe("Try an activity on hold again, with the same or with changed inputs.", takes=RetryIn)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        running.retry_activity(request.user, self.one(pk=pk), now=timezone.now(), **given(RetryIn, request))
        return self._shown(pk)

    @describe("Run another process in place of an activity on hold, and map its outputs.", takes=ReplaceIn)
    @action(detail=True, methods=["post"])
    def replace(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        run, said = self.one(pk=pk), given(ReplaceIn, request)
        held = [f"processes.{verb}_process" for verb in ("view", "start", "operate")]
        process = visible_by_any(request.user, held, Process.objects.filter(slug=said["process"])).first()
        policy.require_decide(request.user, run)
        if process is None:
            raise InvalidInput([Fault("process", f"There is no '{said['process']}', or you may not see it.")])
        running.replace_activity(
            request.user,
            run,
            process=process,
            now=timezone.now(),
            with_=said.get("with"),
            outputs=said.get("outputs"),
            reason=said["reason"],
        )
        return self._shown(pk)

    @describe("Wave an activity on hold through, with a reason and perhaps stand-in outputs.", takes=IgnoreIn)
    @action(detail=True, methods=["post"])
    def ignore(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        running.ignore_activity(request.user, self.one(pk=pk), now=timezone.now(), **given(IgnoreIn, request))
        return self._shown(pk)

    @describe("Let an activity on hold fail for good.", takes=WhyIn)
    @action(detail=True, methods=["post"])
    def fail(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        running.fail_activity(request.user, self.one(pk=pk), now=timezone.now(), **given(WhyIn, request))
        return self._shown(pk)

    @describe("Say that a manual activity is done. Everything it requires must be.", takes=NothingIn)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        run = self.one(pk=pk)
        given(NothingIn, request)
        answering.complete_activity(request.user, run, now=timezone.now())
        return self._shown(pk)

    @describe("Mark a task done.", takes=NothingIn)
    @action(detail=True, methods=["post"], url_path="tasks/<document:task>/done", url_name="task-done")
    def task_done(self, request: Request, pk: str, task: str) -> Response:
        """Answer with the activity."""
        return self._set_task(pk, task, done=True)

    @describe("Mark a task open again.", takes=NothingIn)
    @action(detail=True, methods=["post"], url_path="tasks/<document:task>/open", url_name="task-open")
    def task_open(self, request: Request, pk: str, task: str) -> Response:
        """Answer with the activity."""
        return self._set_task(pk, task, done=False)

    @describe("Answer the form. Answering again before the activity settles replaces the answers.", takes=FormIn)
    @action(detail=True, methods=["post"])
    def form(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        run, answers = self.one(pk=pk), given(FormIn, request)["values"]
        answering.submit_form(request.user, run, answers, now=timezone.now())
        return self._shown(pk)

    @describe("Approve or reject. A sign-off is bound to what is shown now.", takes=SignOffIn)
    @action(detail=True, methods=["post"], url_path="sign-off", url_name="sign-off")
    def sign_off(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        answering.sign_off(request.user, self.one(pk=pk), now=timezone.now(), **given(SignOffIn, request))
        return self._shown(pk)

    @describe("Give a signal to the activity that waits for it.", takes=SignalIn, gives=SignalOut)
    @action(detail=True, methods=["post"])
    def signal(self, request: Request, pk: str) -> Response:
        """Answer with whether it matched, and the activity."""
        run, payload = self.one(pk=pk), given(SignalIn, request)["payload"]
        matched = answering.send_signal(request.user, run, payload, now=timezone.now())
        detail = reading.activity_detail(self.one(pk=pk), request.user)
        return Response(SignalOut({"matched": matched, "activity": detail}).data)

    @describe("Add a remark.", takes=CommentIn, status=201, gives=ActivityRunOut)
    @action(detail=True, methods=["post"])
    def comments(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        run, body = self.one(pk=pk), given(CommentIn, request)["body"]
        answering.add_comment(request.user, run, body, now=timezone.now())
        return self._shown(pk, status=201)

    @describe("Add a file as evidence.", takes={"multipart/form-data": EvidenceIn}, status=201, gives=ActivityRunOut)
    @action(detail=True, methods=["post"], parser_classes=[UploadParser])
    def evidence(self, request: Request, pk: str) -> Response:
        """Answer with the activity."""
        run, file = self.one(pk=pk), given(EvidenceIn, request)["file"]
        content = file.read(answering.MOST_EVIDENCE + 1)
        answering.add_evidence(request.user, run, name=file.name, content=content, now=timezone.now())
        return self._shown(pk, status=201)

    @extend_schema(
        summary="Download a file of evidence",
        description="Download a file of evidence. It always comes as an attachment, whatever it holds.",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, url_path="evidence/<row:evidence>", url_name="evidence-file")
    def evidence_file(self, request: Request, pk: str, evidence: str) -> FileResponse:
        """Answer with the file."""
        found = self.one(pk=pk).evidence.filter(pk=evidence).first()
        if found is None:
            raise NotFound
        content = found.file.open("rb")
        answer = FileResponse(content, as_attachment=True, filename=found.name, content_type="application/octet-stream")
        answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    def _set_task(self, pk: str, task: str, *, done: bool) -> Response:
        run = self.one(pk=pk)
        given(NothingIn, self.request)
        answering.set_task(self.request.user, run, task, done=done, now=timezone.now())
        return self._shown(pk)

    def _shown(self, pk: str, status: int = 200) -> Response:
        detail = reading.activity_detail(self.one(pk=pk), self.request.user)
        return Response(ActivityRunOut(detail).data, status=status)
