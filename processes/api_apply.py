"""Documents of every kind at once, in and out: what `manage.py apply` and `manage.py export` do, by API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Fault, InvalidInput
from config.rest.bodies import JsonTextParser, TextParser, YamlParser
from config.rest.describe import describe
from config.rest.documents import FaultOut
from config.rest.views import View
from processes import services
from processes.schema_kinds import KINDS

TRUE, FALSE = ("true", "1"), ("false", "0")


class AppliedOut(serializers.Serializer[Any]):
    """What became of one document; `revision` is the one it was published as, if it was."""

    kind = serializers.CharField()
    id = serializers.CharField()
    result = serializers.ChoiceField(choices=["created", "changed", "unchanged"])
    revision = serializers.IntegerField(allow_null=True)
    warnings = FaultOut(many=True)


class ApplyOut(serializers.Serializer[Any]):
    """What became of every document, in their order."""

    results = AppliedOut(many=True)


class Apply(View):
    """Makes the site say what documents say."""

    parser_classes = (JsonTextParser, YamlParser, TextParser)
    pagination_class = None
    query: ClassVar[dict[str, set[str]]] = {"create": {"publish", "dry_run"}}

    @describe(
        "Apply documents of any kind, as YAML or JSON. "
        "Several may follow one another (`---`, or a JSON list). All of them are applied, or none.",
        takes={
            "application/yaml": OpenApiTypes.STR,
            "application/json": OpenApiTypes.OBJECT,
            "text/plain": OpenApiTypes.STR,
        },
        gives=ApplyOut,
        parameters=[
            OpenApiParameter("publish", OpenApiTypes.BOOL, description="Also publish what differs."),
            OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="Only say what would happen."),
        ],
    )
    def create(self, request: Request) -> Response:
        """Answer with what became of each document."""
        text: Any = request.data
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput([Fault("", "There is no document.", "Send YAML or JSON.")])
        publish, dry_run = (_yes(request, name) for name in ("publish", "dry_run"))
        done = services.apply(request.user, text, now=timezone.now(), publish=publish, dry_run=dry_run)
        return Response(ApplyOut({"results": done}).data)


class YamlRenderer(BaseRenderer):
    """Lets a caller ask for YAML; the view brings the text."""

    media_type = "application/yaml"
    format = "yaml"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        """Return the text."""
        return data


class Export(View):
    """Gives documents back as they were applied."""

    renderer_classes = (YamlRenderer, JSONRenderer)
    pagination_class = None
    query: ClassVar[dict[str, set[str]]] = {"show": {"document"}}

    @extend_schema(
        summary="Export documents as YAML",
        description="Export documents as YAML, ready to be applied again: all you may see, or those chosen.",
        parameters=[
            OpenApiParameter(
                "document",
                OpenApiTypes.STR,
                many=True,
                description="A kind and an id: `Process/hotfix`. May be repeated.",
            )
        ],
        responses={(200, "application/yaml"): OpenApiTypes.STR},
    )
    def show(self, request: Request) -> HttpResponse:
        """Answer with the documents."""
        chosen = [_chosen(text) for text in request.query_params.getlist("document")]
        text = services.export(request.user, chosen or None)
        return HttpResponse(text, content_type="application/yaml; charset=utf-8")


def _chosen(text: str) -> tuple[str, str]:
    kind, slash, slug = text.partition("/")
    if not slash or kind not in KINDS:
        raise InvalidInput(
            [Fault("document", f"'{text[:80]}' is no kind and id.", f"The kinds are {', '.join(KINDS)}.")]
        )
    return kind, slug


def _yes(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in TRUE + FALSE:
        raise InvalidInput([Fault(name, "This is neither true nor false.")])
    return text in TRUE
