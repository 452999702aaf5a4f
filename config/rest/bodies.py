"""What a request may say: bodies of bounded size with nothing in them that could not be stored, known fields only."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from config.errors import Fault, InvalidInput
from config.rest.problems import TooLarge

LARGEST = 2_000_000
LARGEST_UPLOAD = 25_000_000
DEEPEST = 60
LARGEST_NUMBER = 2**63

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def read(stream: IO[bytes], parser_context: Mapping[str, Any] | None) -> str:
    """Return a request's body as text. Raises TooLarge, or ParseError when it is not in its encoding."""
    raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise TooLarge(f"The request has more than {LARGEST} bytes.")
    encoding = str((parser_context or {}).get("encoding") or "utf-8")
    try:
        return raw.decode(codecs.lookup(encoding).name)
    except (LookupError, UnicodeError, TypeError) as error:
        raise ParseError(f"The body is not {encoding[:40]} text.") from error


class JsonParser(BaseParser):
    """Strict JSON, without NUL characters, half characters, or numbers that cannot be stored."""

    media_type = "application/json"
    renderer_class = JSONRenderer

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the parsed body. Raises ParseError, TooLarge, or InvalidInput with every fault."""
        text = read(stream, parser_context)
        try:
            parsed = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {str(error)[:200]}") from error
        faults = list(_faults(parsed, "", 0))
        if faults:
            raise InvalidInput(faults[:50])
        return parsed


class UploadParser(MultiPartParser):
    """A form with files, of bounded size."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Return the fields and files. Raises ParseError or TooLarge."""
        check_upload((parser_context or {})["request"].META)
        return super().parse(stream, media_type, parser_context)


def check_upload(meta: Mapping[str, Any]) -> None:
    """Raise TooLarge for a form that is larger than any we take, before a byte of it is kept."""
    length = str(meta.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or int(length) > LARGEST_UPLOAD:
        raise TooLarge(f"The upload has more than {LARGEST_UPLOAD} bytes.")


class TextParser(BaseParser):
    """The body as text, to be read by whoever knows its language."""

    media_type = "text/plain"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body. Raises ParseError or TooLarge."""
        return read(stream, parser_context)


class YamlParser(TextParser):
    """YAML, as text."""

    media_type = "application/yaml"


class JsonTextParser(TextParser):
    """JSON, as text."""

    media_type = "application/json"


class Input(serializers.Serializer):
    """What a request says, field by field; a field that is not known is a fault."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the clean values. Raises ValidationError with every fault, unknown fields included."""
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        faults: dict[str, Any] = {str(name): ["There is no such field."] for name in unknown}
        try:
            clean = super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults.update(error.detail if isinstance(error.detail, dict) else {})
            raise serializers.ValidationError(faults) from error
        if faults:
            raise serializers.ValidationError(faults)
        return clean


def given(kind: type[Input], request: Request) -> dict[str, Any]:
    """Return the clean values of a request's body. Raises ValidationError with every fault."""
    body = kind(data=request.data)
    body.is_valid(raise_exception=True)
    clean: dict[str, Any] = body.validated_data
    return clean


def check_query(request: Request) -> None:
    """Raise InvalidInput if the query holds a character that no stored text can have."""
    faults = [
        Fault(name[:60].replace("\0", ""), "This has a character that cannot be stored.")
        for name, values in request.query_params.lists()
        for value in (name, *values)
        if _UNSTORABLE.search(value)
    ]
    if faults:
        raise InvalidInput(faults)


def _faults(value: Any, path: str, depth: int) -> Any:
    if depth > DEEPEST:
        yield Fault(path[:200], f"This is nested more than {DEEPEST} deep.")
    elif isinstance(value, str) and _UNSTORABLE.search(value):
        yield Fault(path, "This text has a character that cannot be stored.", "Remove it.")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(path, "This number is too large.")
    elif isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        yield Fault(path, "This number is too large.", "Put it in quotes if it is a name.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if _UNSTORABLE.search(name):
                yield Fault(path, "A name in here has a character that cannot be stored.", "Remove it.")
                continue
            yield from _faults(inner, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _faults(inner, f"{path}[{at}]", depth + 1)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON knows.")
