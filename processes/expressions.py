"""Evaluating `${{ ... }}`: CEL over plain nested dicts, in microseconds, stopped when it runs away.

How one expression is evaluated:

1. Its dotted names are found in the text (expressions_text) and each is replaced by a variable of its own, so that only
   the values it uses are handed to CEL, however large the context is.
2. Each name is looked up in the context. One that is not there fails with its name, unless the expression asks for it
   with `has(...)`, which is true when there is a value. A value that is None is null.
3. The rewritten text is compiled once (per kinds of its values) and kept.
4. The result comes back as JSON: durations as `1h30m`, moments as ISO-8601 with offset.

CEL's own budget stops loops; expressions_functions limits what text functions build; `_refuse_growth` limits nesting
that multiplies. In texts, only text, numbers, booleans, durations and moments can be put.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from cel_expr_python import cel

from config import durations
from config.errors import ExpressionFailed
from processes import expressions_functions
from processes.expressions_text import MACROS, Name, Token, expressions_in, is_expression, names, pieces, tokens, whole

__all__ = ["evaluate", "evaluate_one", "is_expression", "matches", "references", "rewrite"]

MOST_GROWTH = 1000
_ABSENT = object()
_NOISE = re.compile(r"^<input>:-?\d+:-?\d+: | \(in container '.*'\)| \[[A-Z_]+\]$| expecting .*")
_KINDS = {"duration": cel.Type.DURATION, "moment": cel.Type.TIMESTAMP, "any": cel.Type.DYN}


@dataclass(frozen=True, slots=True)
class Prepared:
    """One expression with its names replaced: the text for CEL and the name behind each of its variables."""

    source: str
    text: str
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    asked: frozenset[tuple[str, ...]]


def evaluate(value: Any, context: Mapping[str, Any], *, zone: str = "UTC") -> Any:
    """The value with every expression inside it evaluated; lists and mappings are walked.

    `context` maps root names to plain nested dicts, lists and JSON values; durations as timedelta, moments as aware
    datetime. `zone` is where `date()` reads the clock. Raises ExpressionFailed.
    """
    if isinstance(value, str):
        return _text(value, context, zone) if is_expression(value) else value
    if isinstance(value, Mapping):
        return {key: evaluate(inner, context, zone=zone) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [evaluate(inner, context, zone=zone) for inner in value]
    return value


def evaluate_one(source: str, context: Mapping[str, Any], *, zone: str = "UTC") -> Any:
    """The JSON value of one bare expression (no `${{`). Raises ExpressionFailed."""
    plan = prepare(source)
    data = {variable: _look_up(path, context, plan) for variable, path in plan.variables}
    if plan.text == "v0":
        return _as_json(data["v0"], source)
    program = _program(source, tuple(_kind(value) for value in data.values()))
    with expressions_functions.in_zone(zone):
        try:
            result = program.eval(data=data)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ExpressionFailed(f"{_shown(source)} failed: {reason(str(error))}") from error
    if result.type().name() == "ERROR":
        raise ExpressionFailed(f"{_shown(source)} failed: {reason(str(result.plain_value()))}")
    return _as_json(result.plain_value(), source)


def references(value: Any) -> frozenset[tuple[str, ...]]:
    """Every dotted name used by the expressions inside a value of any depth, as a tuple of its segments."""
    found: set[tuple[str, ...]] = set()
    for _, text in expressions_in(value):
        for is_source, content in pieces(text):
            if is_source:
                found.update(name.path for name in names(content))
    return frozenset(found)


def matches(text: str, pattern: str) -> bool:
    """Whether a regular expression (RE2: linear time, so safe to take from people) is found in the text.

    Raises ExpressionFailed when the pattern is not valid.
    """
    return bool(evaluate_one("inputs.text.matches(inputs.pattern)", {"inputs": {"text": text, "pattern": pattern}}))


@lru_cache(maxsize=4096)
def prepare(source: str) -> Prepared:
    """Replaces the names of one expression by variables v0, v1, ... Raises ExpressionFailed for what may not run."""
    seen: dict[tuple[str, ...], str] = {}

    def variable(name: Name) -> str:
        written = seen.setdefault(name.path, f"v{len(seen)}")
        return f"({written} != null)" if name.asked else written

    _refuse_growth(tokens(source), source)
    text = rewrite(source, variable)
    asked = frozenset(name.path for name in names(source) if name.asked)
    return Prepared(source, text, tuple((written, path) for path, written in seen.items()), asked)


def rewrite(source: str, variable: Callable[[Name], str]) -> str:
    """The expression with each dotted name replaced by what `variable(name)` answers, `has(...)` included."""
    sequence, written, at = tokens(source), list[str](), 0
    for name in names(source):
        written += _spelled(sequence[at : name.start - 2 if name.asked else name.start])
        written.append(variable(name))
        at = name.stop + 1 if name.asked else name.stop
    return " ".join([*written, *_spelled(sequence[at:])])


@lru_cache(maxsize=4096)
def _program(source: str, kinds: tuple[str, ...]) -> cel.Expression:
    plan = prepare(source)
    variables = {name: _KINDS[kind] for (name, _), kind in zip(plan.variables, kinds, strict=True)}
    environment = cel.NewEnv(variables=variables, extensions=[expressions_functions.extension()])
    try:
        return environment.compile(plan.text)
    except RuntimeError as error:
        raise ExpressionFailed(f"{_shown(source)} is not a valid expression: {reason(str(error))}") from error


def _kind(value: object) -> str:
    return {timedelta: "duration", datetime: "moment"}.get(type(value), "any")


def _spelled(sequence: tuple[Token, ...]) -> Iterator[str]:
    """The tokens as CEL reads them; `duration(` becomes ours, which knows days and weeks too."""
    for token, following in zip_longest(sequence, sequence[1:]):
        calls = token.text == "duration" and following is not None and following.text == "("
        yield expressions_functions.DURATION if calls else token.text


def _text(text: str, context: Mapping[str, Any], zone: str) -> Any:
    only = whole(text)
    if only is not None:
        return evaluate_one(only, context, zone=zone)
    return "".join(
        _in_text(evaluate_one(content, context, zone=zone), content) if is_source else content
        for is_source, content in pieces(text)
    )


def _in_text(value: Any, source: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if value is None:
        raise ExpressionFailed(f"{_shown(source)} has no value, so it cannot be put into a text.")
    kind = "secret" if isinstance(value, Mapping) and set(value) == {"secret"} else "list or an object"
    raise ExpressionFailed(f"{_shown(source)} is a {kind} and cannot be put into a text.")


def _look_up(path: tuple[str, ...], context: Mapping[str, Any], plan: Prepared) -> Any:
    value: Any = context
    for depth, segment in enumerate(path):
        value = value.get(segment, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        if value is _ABSENT:
            if path in plan.asked:
                return None
            missing = ".".join(path[: depth + 1])
            raise ExpressionFailed(f"{_shown(plan.source)} failed: there is no '{missing}' here.")
    return value


def _in_utc(moment: datetime, source: str) -> str:
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError as error:
        raise ExpressionFailed(f"{_shown(source)} is before the first or after the last year there is.") from error


def _as_json(value: Any, source: str) -> Any:
    if isinstance(value, str):
        return _storable(value, source)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ExpressionFailed(f"{_shown(source)} is not a number.")
        return value
    if isinstance(value, timedelta):
        return durations.to_text(value)
    if isinstance(value, datetime):
        return _in_utc(value, source)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _as_json(inner, source) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner, source) for inner in value]
    raise ExpressionFailed(f"{_shown(source)} gives a {type(value).__name__}, which has no place in a document.")


def _storable(text: str, source: str) -> str:
    if "\0" in text or len(text) > expressions_functions.LONGEST_TEXT:
        raise ExpressionFailed(f"{_shown(source)} gives a text that is too long or cannot be stored.")
    return text


def _refuse_growth(sequence: tuple[Token, ...], source: str) -> None:
    """Refuses loops that multiply text or lists: m loops with p pluses and commas, up to (p/m + 1)^m times."""
    loops = sum(1 for token in sequence if token.text in MACROS)
    additions = sum(1 for token in sequence if token.text in ("+", ","))
    if loops > 1 and (additions / loops + 1) ** loops > MOST_GROWTH:
        raise ExpressionFailed(f"{_shown(source)} has too many loops inside one another.")


def reason(message: str) -> str:
    """The one useful sentence in a message of the CEL library."""
    first = message.splitlines()[0]
    for noise in ("INVALID_ARGUMENT: ", "NOT_FOUND: ", "OUT_OF_RANGE: ", "INTERNAL: ", "UNKNOWN: ", "ERROR: "):
        first = first.replace(noise, "")
    first = _NOISE.sub("", first)
    return first.replace("Iteration budget exceeded", "it runs for too long") + "."


def _shown(source: str) -> str:
    return f"`{source if len(source) <= 80 else source[:77] + '...'}`"
