"""Flags in a file of GO Feature Flag: how one stands, and the file with one flag changed.

The text is changed where the flag stands and nowhere else, so comments, order and style of all else stay; JSON is YAML
here. What comes out is read again and must differ in that flag only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from activities.providers.flags import Standing
from config.errors import RunnerRefused

ON, OFF = "enabled", "disabled"
"""The variations of a flag that is made here."""
_AS_IT_IS = ("targeting", "scheduledRollout", "experimentation")


class Reader(yaml.SafeLoader):
    """Reads YAML as GO Feature Flag does: keys are texts, and `yes`, `no`, `on` and `off` are no booleans."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Returns a mapping, merged ones included."""
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


Reader.yaml_implicit_resolvers = {
    first: [(tag, shape) for tag, shape in found if first in "tTfF" or not tag.endswith(":bool")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def flags_in(text: str) -> dict[str, Any]:
    """Returns the flags of a file by name. Raises RunnerRefused when it is not one."""
    try:
        found = yaml.load(text, Reader)  # noqa: S506  a safe one
    except (yaml.YAMLError, RecursionError):
        raise RunnerRefused("The file of flags cannot be read: it is no YAML and no JSON.", code="no_flags") from None
    if found is not None and not isinstance(found, dict):
        raise RunnerRefused("The file of flags is not a mapping of names to flags.", code="no_flags")
    return found or {}


def standing_of(flag: Mapping[str, Any]) -> Standing:
    """Returns how a flag stands; its percentage is None when something else than a percentage decides."""
    rule, values, share = _mapping(flag.get("defaultRule")), _variations(flag), None
    if "progressiveRollout" in rule:
        share = None
    elif rule.get("percentage"):
        share = _share(_mapping(rule["percentage"]), values)
    elif "variation" in rule:
        given = rule["variation"]
        share = 100.0 if values.get(given if isinstance(given, str) else json.dumps(given)) is True else 0.0
    notes = tuple(f"Decides too, and is left as it is: {name}." for name in _AS_IT_IS if flag.get(name))
    return Standing(not flag.get("disable", False), share, str(flag.get("bucketingKey", "")), notes=notes)


def _share(sizes: Mapping[str, Any], values: Mapping[str, Any]) -> float | None:
    """The percentage for which a flag is true: sizes are parts of their sum, which need not be 100."""
    if not all(isinstance(size, int | float) for size in sizes.values()):
        return None
    on = sum(size for name, size in sizes.items() if values.get(name) is True)
    whole = sum(sizes.values())
    return round(100 * on / whole, 6) if whole else None  # in whichever order they were added


def default_rule(flag: Mapping[str, Any], share: int) -> dict[str, Any]:
    """Returns the default rule for a percentage. Raises RunnerRefused unless the flag is on or off by percentages."""
    values, rule = _variations(flag), _mapping(flag.get("defaultRule"))
    on, off = (next((name for name, value in values.items() if value is wanted), "") for wanted in (True, False))
    if not on or not off or any(not isinstance(value, bool) for value in values.values()):
        raise RunnerRefused("Only flags whose variations are true and false are turned on and off.", code="no_boolean")
    if "progressiveRollout" in rule:
        raise RunnerRefused("The flag's default rule rolls out progressively: remove that, then retry.")
    named = {"name": rule["name"]} if "name" in rule else {}
    return {**named, "percentage": {on: share, off: 100 - share}}


def with_flag(text: str, name: str, description: str) -> str:
    """Returns the file with one more flag, which is off."""
    flag: dict[str, Any] = {
        "variations": {ON: True, OFF: False},
        "defaultRule": {"percentage": {ON: 0, OFF: 100}},
        "disable": True,
        **({"metadata": {"description": description}} if description else {}),
    }
    root = yaml.compose(text, Reader) if flags_in(text) or text.lstrip().startswith("{") else None
    if isinstance(root, yaml.MappingNode) and root.flow_style:
        end = root.end_mark.index - 1
        comma = "," if root.value else ""
        changed = f"{text[:end].rstrip()}{comma}\n  {json.dumps(name)}: {json.dumps(flag)}\n{text[end:]}"
    else:
        lines = [f"{json.dumps(name)}:", *(f"  {key}: {json.dumps(value)}" for key, value in flag.items())]
        before = f"{text.rstrip()}\n\n" if text.strip() else ""
        changed = before + "\n".join(lines) + "\n"
    return _checked(changed, {**flags_in(text), name: flag})


def with_change(text: str, name: str, change: Mapping[str, Any]) -> str:
    """Returns the file with these keys of one flag changed."""
    changed = text
    for key, value in change.items():
        changed = _with_key(changed, name, key, value)
    flags = flags_in(text)
    return _checked(changed, {**flags, name: {**flags[name], **change}})


def _with_key(text: str, name: str, key: str, value: Any) -> str:
    root = yaml.compose(text, Reader)
    flag = _inside(root, name)[1]
    known, old = _inside(flag, key)
    if known is not None and old is not None:
        return f"{text[: known.end_mark.index]}: {json.dumps(value)}{text[_end(old) :]}"
    first = flag.value[0][0].start_mark
    if flag.flow_style:
        return f"{text[: first.index]}{json.dumps(key)}: {json.dumps(value)}, {text[first.index :]}"
    return f"{text[: first.index]}{key}: {json.dumps(value)}\n{' ' * first.column}{text[first.index :]}"


def _inside(node: Any, name: str) -> tuple[Any, Any]:
    """Returns the nodes of a key and its value in a mapping, None if it is not there."""
    found = [pair for pair in node.value if pair[0].value == name]
    return found[-1] if found else (None, None)


def _end(node: Any) -> int:
    """Where a node's text ends: a block goes to its last leaf, not over the comments behind it."""
    if getattr(node, "flow_style", True) or not node.value or isinstance(node, yaml.ScalarNode):
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _checked(changed: str, wanted: Mapping[str, Any]) -> str:
    if flags_in(changed) != wanted:
        raise RunnerRefused("The file cannot be changed without changing more than this flag: change it by hand.")
    return changed


def _variations(flag: Mapping[str, Any]) -> dict[str, Any]:
    return _mapping(flag.get("variations"))


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
