"""Checking expressions before they run: names that do not exist and types that do not fit are refused at publish.

1. The names an expression may use are declared with their types in a Scope, as whole dotted paths.
2. Each name in the expression is matched with the longest declared path; no match is a fault with a did-you-mean.
3. The expression is compiled by CEL with one typed variable per name. Values that may be missing are nullable.
4. The resulting type is compared with what the place wants.

A secret has a type of its own without any operation, so it can be passed on whole and never be put into a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from cel_expr_python import cel

from config.errors import ExpressionFailed
from processes.expressions import prepare, reason, rewrite
from processes.expressions_functions import DURATION, FUNCTIONS, extension
from processes.expressions_text import MACROS, ROOTS, Name, names, tokens
from processes.expressions_types import cel_type, in_words, plain_type
from processes.schema_words import did_you_mean

Path = tuple[str, ...]

_WHERE = {
    "item": "only inside an activity with for_each",
    "index": "only inside an activity with for_each",
    "payload": "only in the match of a signal",
    "activity": "only inside an activity",
    "phase": "only inside a phase and its activities",
    "start": "only in the templates of a release group",
    "sequence": "only in the templates of a release group",
}
_OVERLOAD = re.compile(r"found no matching overload for '(.+?)' applied to '(.*)'\.?$")
_UNDECLARED = re.compile(r"undeclared reference to '(\w+)[\w.]*'")


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that expressions at one place may use: whole dotted paths with their types.

    A type is a word of expressions_types: string, int, double, bool, timestamp, duration, secret, map, any, or
    `list(...)` of one.
    """

    names: Mapping[Path, str]

    def with_names(self, names: Mapping[Path, str]) -> Scope:
        """A scope with more names; the new ones win."""
        return Scope({**self.names, **names})

    def match(self, path: Path) -> Path | None:
        """The longest declared name the path starts with."""
        return next((path[:length] for length in range(len(path), 0, -1) if path[:length] in self.names), None)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one expression, and how to mend it."""

    message: str
    cure: str = ""


def check_expression(source: str, scope: Scope) -> tuple[str, list[Complaint]]:
    """The type of one expression (a word like `string` or `list(int)`; `any` when it is wrong), and its complaints."""
    try:
        prepare(source)
        found = names(source)
    except ExpressionFailed as failure:
        return "any", [Complaint(failure.message)]
    unknown = [_unknown(name, scope) for name in found if scope.match(name.path) is None]
    complaints = _forbidden(source) or list(dict.fromkeys(unknown))
    if complaints:
        return "any", complaints
    variables: dict[str, str] = {}
    text = rewrite(source, lambda name: _variable(name, scope, variables))
    return _compile(source, text, tuple(variables.items()), scope)


def _variable(name: Name, scope: Scope, variables: dict[str, str]) -> str:
    matched = scope.match(name.path)
    assert matched is not None, "unknown names were refused before"
    written = "v_" + "_".join(re.sub(r"\W", "_", segment) for segment in matched)
    variables[written] = scope.names[matched]
    rest = "".join(f"['{segment}']" for segment in name.path[len(matched) :])
    return f"({written}{rest} == {written}{rest})" if name.asked else f"{written}{rest}"


@lru_cache(maxsize=2048)
def _typed(text: str, variables: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """The type of a rewritten expression, or an empty text and CEL's complaint."""
    declared = {name: cel_type(kind) for name, kind in variables}
    try:
        return plain_type(str(cel.NewEnv(variables=declared, extensions=[extension()]).compile(text).return_type())), ""
    except RuntimeError as error:
        return "", reason(str(error))


def _compile(
    source: str, text: str, variables: tuple[tuple[str, str], ...], scope: Scope
) -> tuple[str, list[Complaint]]:
    kind, complaint = _typed(text, variables)
    if not complaint:
        return kind, []
    shown = f"`{source if len(source) <= 80 else source[:77] + '...'}`"
    overload, undeclared = _OVERLOAD.search(complaint), _UNDECLARED.search(complaint)
    if undeclared:
        word = undeclared.group(1).replace(DURATION, "duration")
        if re.search(rf"\b{word}\s*\(", source):
            return "any", [_unknown_function(shown, word)]
        known = {path[0] for path in scope.names}
        cure = did_you_mean(word, known, f"The names here start with {', '.join(sorted(known))}.")
        return "any", [Complaint(f"{shown} uses '{word}', which does not exist.", cure)]
    if overload:
        return "any", [_mismatch(shown, overload.group(1), overload.group(2))]
    return "any", [Complaint(f"{shown} is not a valid expression: {complaint}")]


def _unknown_function(shown: str, word: str) -> Complaint:
    if word in FUNCTIONS:
        return Complaint(f"{shown} calls {word}() with the wrong number of values.")
    return Complaint(f"{shown} calls {word}(), which does not exist.", did_you_mean(word, FUNCTIONS))


def _mismatch(shown: str, operator: str, operands: str) -> Complaint:
    types = [in_words(plain_type(operand)) for operand in _split(operands[1:-1])]
    operator = operator.replace(DURATION, "duration")
    sign = operator.replace("_", "") if not operator.replace("_", "").isalpha() else f"{operator}()"
    cure = ""
    if "text" in types and sign == "+" and len(set(types)) > 1:
        cure = "Turn the other into text with string(...)."
    if "a secret" in types:
        cure = "A secret can only be passed on whole."
    if set(types) == {"a whole number", "a number"}:
        cure = "Write whole numbers as 2.0, or convert with double(...)."
    return Complaint(f"{shown} has the wrong types: '{sign}' does not work on {' and '.join(types)}.", cure)


def _split(operands: str) -> list[str]:
    return [part.strip() for part in re.split(r",\s*(?![^()<>]*[)>])", operands)]


def _unknown(name: Name, scope: Scope) -> Complaint:
    written = ".".join(name.path)
    if not any(path[0] == name.path[0] for path in scope.names):
        where = _WHERE.get(name.path[0])
        return Complaint(f"There is no '{name.path[0]}' here.", f"It exists {where}." if where else "")
    below = sorted(".".join(path) for path in scope.names if path[: len(name.path)] == name.path)
    if below:
        return Complaint(
            f"'{written}' is a group of values, not one value.", f"Name one of them: {', '.join(below[:10])}."
        )
    depth = max(
        length for length in range(len(name.path)) if any(path[:length] == name.path[:length] for path in scope.names)
    )
    known = sorted({path[depth] for path in scope.names if path[:depth] == name.path[:depth] and len(path) > depth})
    start = "".join(f"{segment}." for segment in name.path[:depth])
    near = did_you_mean(name.path[depth], known)
    cure = near.replace("mean ", f"mean {start}") or f"There are {', '.join(known[:10])}."
    return Complaint(f"There is no '{written}'.", cure)


def _forbidden(source: str) -> list[Complaint]:
    """Loop variables may not use a root word (`list.map(item, ...)`); `dyn()` would hide a type from these checks."""
    sequence = [token.text for token in tokens(source)]
    complaints = [
        Complaint(f"The loop variable '{word}' hides the name '{word}'.", "Choose another word, such as x.")
        for macro, bracket, word, comma in zip(sequence, sequence[1:], sequence[2:], sequence[3:], strict=False)
        if macro in MACROS and bracket == "(" and word in ROOTS and comma == ","
    ]
    if ("dyn", "(") in pairwise(sequence):
        complaints.append(Complaint("dyn() is not supported.", "Leave it out: types are known here."))
    return complaints
