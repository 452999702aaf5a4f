"""The text side of expressions: finding `${{ ... }}` in a value, and the dotted names inside one expression.

No CEL here. A name is a root word (`inputs`, `phases`, ...) followed by `.segment` or `['segment']`; an id with a
hyphen needs the second form, and both mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config.errors import ExpressionFailed

LONGEST = 2000
ROOTS = frozenset(
    {"inputs", "phase", "activity", "phases", "release", "now", "item", "index", "payload", "start", "sequence"}
)
MACROS = frozenset({"map", "filter", "all", "exists", "exists_one"})

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
                  |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.\d+(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+)?)[uU]?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>&&|\|\||==|!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_STRING = re.compile(r"""(['"])([^'"\\]*)\1""")


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number, string or mark of an expression, without the space around it."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name in an expression: its segments, and the tokens from `start` up to `stop` that spell it.

    `asked` is true inside `has(...)`, where a missing value is an answer.
    """

    path: tuple[str, ...]
    start: int
    stop: int
    asked: bool = False


def is_expression(value: object) -> bool:
    """Whether the value is a text with at least one `${{` in it."""
    return isinstance(value, str) and "${{" in value


@lru_cache(maxsize=4096)
def pieces(text: str) -> tuple[tuple[bool, str], ...]:
    """Splits a text into (is an expression, content) pieces; raises ExpressionFailed when a `${{` never ends."""
    found: list[tuple[bool, str]] = []
    rest = 0
    while (opening := text.find("${{", rest)) != -1:
        closing = _closing(text, opening + 3)
        if opening > rest:
            found.append((False, text[rest:opening]))
        found.append((True, text[opening + 3 : closing].strip()))
        rest = closing + 2
    if rest < len(text):
        found.append((False, text[rest:]))
    return tuple(found)


def whole(text: str) -> str | None:
    """The expression when the text is exactly one, so that its value keeps its type; None otherwise."""
    parts = pieces(text.strip())
    return parts[0][1] if len(parts) == 1 and parts[0][0] else None


@lru_cache(maxsize=4096)
def tokens(source: str) -> tuple[Token, ...]:
    """The tokens of one expression; raises ExpressionFailed when it is too long or empty."""
    if len(source) > LONGEST:
        raise ExpressionFailed(f"The expression is {len(source)} characters long; {LONGEST} is the limit.")
    if not source.strip():
        raise ExpressionFailed("The expression is empty.")
    found = _TOKEN.finditer(source)
    return tuple(Token(str(match.lastgroup), match.group()) for match in found if match.lastgroup != "space")


@lru_cache(maxsize=4096)
def names(source: str) -> tuple[Name, ...]:
    """Every dotted name with a known root in one expression, in order of appearance."""
    sequence = tokens(source)
    found: list[Name] = []
    at = 0
    while at < len(sequence):
        if _is_root(sequence, at):
            found.append(_name(sequence, at))
            at = found[-1].stop
        else:
            at += 1
    return tuple(found)


def expressions_in(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text with an expression inside a value of any depth, with its place (`a.b[0]`)."""
    if is_expression(value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from expressions_in(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from expressions_in(inner, f"{path}[{index}]")


def _closing(text: str, start: int) -> int:
    at, depth = start, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, "the last alternative takes any character"
        if text.startswith("}}", at) and depth == 0:
            return at
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        at = match.end()
    raise ExpressionFailed("'${{' is never closed by '}}'.")


def _name(sequence: Sequence[Token], start: int) -> Name:
    path, at = [sequence[start].text], start + 1
    while at < len(sequence):
        if _is(sequence, at, ".") and at + 1 < len(sequence) and sequence[at + 1].kind == "word":
            if _is(sequence, at + 2, "("):
                break
            path.append(sequence[at + 1].text)
            at += 2
        elif _is(sequence, at, "[") and _is(sequence, at + 2, "]") and _plain(sequence[at + 1]) is not None:
            path.append(str(_plain(sequence[at + 1])))
            at += 3
        else:
            break
    asked = _is(sequence, start - 1, "(") and _is(sequence, start - 2, "has") and _is(sequence, at, ")")
    return Name(tuple(path), start, at, asked)


def _is_root(sequence: Sequence[Token], at: int) -> bool:
    if sequence[at].kind != "word" or sequence[at].text not in ROOTS:
        return False
    return not _is(sequence, at - 1, ".") and not _is(sequence, at + 1, "(")


def _plain(token: Token) -> str | None:
    match = _PLAIN_STRING.fullmatch(token.text) if token.kind == "string" else None
    return match.group(2) if match else None


def _is(sequence: Sequence[Token], at: int, text: str) -> bool:
    return 0 <= at < len(sequence) and sequence[at].text == text
