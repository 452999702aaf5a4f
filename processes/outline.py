"""A process document as people read it: phases and activities in order, what each needs, who is asked, what goes in.

Pure: works on a document and a catalogue. A node's id is `build` for a phase and `build.compile` for an activity, also
where `needs` names it, so that a graph can be drawn from the same answer.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from processes import blueprint
from processes.catalogue import Catalogue
from processes.checks_scope import definition_of

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared input or output. `given` is what the process gives it, None when it is asked for or defaulted."""

    name: str
    type: str
    required: bool
    default: Any
    given: Any
    description: str
    limits: str


@dataclass(frozen=True, slots=True)
class Step:
    """One activity of a phase. `source` is the name of the store activity or process that it refers to.

    `facts` are labels and what they say; `asks` is what people do, in words.
    """

    id: str
    node: str
    name: str
    source: str
    kind: str
    needs: tuple[str, ...]
    store: str
    called: str
    pin: int | None
    is_missing: bool
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    people: tuple[str, ...]
    asks: tuple[str, ...]
    approvals: tuple[str, ...]
    instructions: str
    description: str
    facts: tuple[tuple[str, Any], ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One phase with its activities."""

    id: str
    name: str
    needs: tuple[str, ...]
    owners: tuple[str, ...]
    description: str
    inputs: tuple[Declared, ...]
    facts: tuple[tuple[str, Any], ...]
    steps: tuple[Step, ...]


def outline_of(document: Document, catalogue: Catalogue) -> list[Stage]:
    """The phases of a process document, each with its activities, in the document's order."""
    return [_stage(phase, catalogue) for phase in document.get("phases", ())]


def declared_in(declarations: Mapping[str, Document], given: Mapping[str, Any] | None = None) -> tuple[Declared, ...]:
    """The inputs or outputs of a document, with what is given to them."""
    return tuple(_declared(name, one, (given or {}).get(name)) for name, one in declarations.items())


def facts_of(node: Document) -> tuple[tuple[str, Any], ...]:
    """What a phase or activity says beyond its work: conditions, failure, time; labels and words or values."""
    return tuple(_flow(node))


def work_of(definition: Document, kind: str) -> tuple[tuple[str, Any], ...]:
    """What an automated activity, a signal or a wait does; labels and values."""
    block = definition.get(kind)
    if kind == "wait":
        return (("Waits", block),)
    if not isinstance(block, Mapping):
        return ()
    names = {"connection": "Connection", "pipeline": "Pipeline", "ref": "Ref", "command": "Command", "match": "Matches"}
    told = {**block, "command": shlex.join(block["command"])} if block.get("command") else block
    return tuple((label, told[key]) for key, label in names.items() if told.get(key))


def approvals_of(manual: Document) -> tuple[str, ...]:
    """The rules of an approval in words: `2 of qa`, `all of security`, and who is kept out."""
    approval = manual.get("approval") or {}
    told = [_rule(rule) for rule in approval.get("rules", ())]
    if approval and approval.get("four_eyes", True):
        told.append("not whoever started the release")
    for key, words in (("different_from", "nobody who acted in"), ("same_as", "the person who acted in")):
        told += [f"{words} {place}" for place in approval.get(key, ())]
    if approval.get("expires_in"):
        told.append(f"within {approval['expires_in']}, else {approval.get('on_expiry', 'reject')}")
    return tuple(told)


def asks_of(manual: Document) -> tuple[str, ...]:
    """What people are asked for besides an approval: tasks, fields of a form, files."""
    told = []
    for task in manual.get("tasks", ()):
        groups = ", ".join(task.get("groups", ()))
        told.append(f"Task: {task.get('name') or blueprint.readable(task['id'])}" + (f" ({groups})" if groups else ""))
    if manual.get("form"):
        told.append(f"Form: {', '.join(manual['form'])}")
    if files := (manual.get("evidence") or {}).get("required"):
        told.append(f"Evidence: {files} file{'' if files == 1 else 's'}")
    return tuple(told)


def _stage(phase: Document, catalogue: Catalogue) -> Stage:
    return Stage(
        id=phase["id"],
        name=phase.get("name") or blueprint.readable(phase["id"]),
        needs=tuple(phase.get("depends_on", ())),
        owners=tuple(phase.get("owners", ())),
        description=phase.get("description", ""),
        inputs=declared_in(phase.get("inputs", {})),
        facts=facts_of(phase),
        steps=tuple(_step(phase["id"], activity, catalogue) for activity in phase.get("activities", ())),
    )


def _step(phase: str, activity: Document, catalogue: Catalogue) -> Step:
    found = definition_of(activity, catalogue)
    definition: Document = {} if found is None else found
    store, pin = blueprint.split_pin(blueprint.store_reference(activity) or "")
    called, process_pin = blueprint.split_pin(blueprint.process_reference(activity) or "")
    kind = "subprocess" if called else blueprint.kind_of(activity, definition if store else None)
    manual = definition.get("manual") or {}
    outputs: Mapping[str, Any] = {} if called else blueprint.outputs_of(definition, kind)
    return Step(
        id=activity["id"],
        node=f"{phase}.{activity['id']}",
        name=activity.get("name") or blueprint.readable(activity["id"]),
        source=str(definition.get("name", "")) if store or called else "",
        kind=kind,
        needs=tuple(need if "." in need else f"{phase}.{need}" for need in activity.get("depends_on", ())),
        store=store,
        called=called,
        pin=pin or process_pin,
        is_missing=found is None,
        inputs=declared_in(definition.get("inputs", {}), blueprint.given_with(activity)),
        outputs=declared_in(outputs),
        people=_people(activity, manual),
        asks=asks_of(manual),
        approvals=approvals_of(manual),
        instructions=str(manual.get("instructions", "")),
        description=str(activity.get("description") or ("" if called else definition.get("description", ""))),
        facts=(*facts_of({**_timing(definition), **activity}), *(() if store or called else work_of(activity, kind))),
        tags=tuple(dict.fromkeys((*([] if called else definition.get("tags", ())), *activity.get("tags", ())))),
    )


def _timing(definition: Document) -> dict[str, Any]:
    return {key: definition[key] for key in ("retry", "timeout") if key in definition}


def _people(activity: Document, manual: Document) -> tuple[str, ...]:
    """Everybody an activity of its own names: owners, assignees of tasks, approvers."""
    named = list(activity.get("owners", ()))
    named += [f"group:{group}" for task in manual.get("tasks", ()) for group in task.get("groups", ())]
    for rule in (manual.get("approval") or {}).get("rules", ()):
        named += [f"group:{rule['group']}"] if rule.get("group") else []
        named += [f"user:{user}" for user in (*([rule["user"]] if rule.get("user") else ()), *rule.get("users", ()))]
    return tuple(dict.fromkeys(named))


def _declared(name: str, declaration: Document, given: Any) -> Declared:
    kind = str(declaration.get("type", "string"))
    items = declaration.get("items")
    if kind == "list" and items:
        kind = f"list of {items if isinstance(items, str) else items.get('type', 'object')}"
    return Declared(
        name=name,
        type=kind,
        required=bool(declaration.get("required")),
        default=declaration.get("default"),
        given=given,
        description=str(declaration.get("description", "")),
        limits=", ".join(_limits(declaration)),
    )


def _limits(declaration: Document) -> Iterator[str]:
    if declaration.get("options"):
        yield "one of " + ", ".join(str(option) for option in declaration["options"])
    for key, words in (("min", "at least"), ("max", "at most"), ("pattern", "matches")):
        if declaration.get(key) is not None:
            yield f"{words} {declaration[key]}"


def _rule(rule: Document) -> str:
    people: Sequence[str] = rule.get("users") or [rule.get("group") or rule.get("user") or ""]
    names = " or ".join(people)
    if rule.get("all"):
        return f"all of {names}"
    if rule.get("percent") is not None:
        return f"{rule['percent']}% of {names}"
    return names if rule.get("user") else f"{rule.get('count') or 1} of {names}"


_FLOWS: dict[str, tuple[str, dict[Any, str | None]]] = {
    "when": ("Only when", {}),
    "needs": ("Needs", {"any": "one of those before it", "all": "all of those before it"}),
    "after": ("Runs", {"settled": "whatever the outcome before it"}),
    "required": ("Optional", {False: "the release may succeed without it", True: None}),
    "for_each": ("Once for each of", {}),
    "parallel": ("At once", {}),
    "on_failure": ("If it fails", {"hold": "it is held for a decision", "ignore": "it is ignored", "fail": "it fails"}),
    "timeout": ("Times out after", {}),
    "opens": ("Opens", {}),
    "due": ("Due", {}),
}


def _flow(node: Document) -> Iterator[tuple[str, Any]]:
    for key, (label, words) in _FLOWS.items():
        if key in node:
            value = node[key]
            told = words.get(value, value) if isinstance(value, (str, bool)) else value
            if told is not None:
                yield label, told
    if node.get("retry"):
        yield "Tried again", _retry(node["retry"])


def _retry(retry: Document) -> str:
    attempts = retry.get("attempts", 1)
    text = f"up to {attempts} attempt{'' if attempts == 1 else 's'}"
    text += f", {retry['delay']} apart" if retry.get("delay") else ""
    text += f", times {retry['factor']:g} each time" if retry.get("factor", 1) != 1 else ""
    return text + (f", at most {retry['ceiling']}" if retry.get("ceiling") else "")
