"""Whether a freeze's scope holds a release or an activity, and what of one a scope can name. Pure.

A scope's keys all have to match, of the ids under one key any; `everything: true` matches whatever there is. What is
touched is decided in `releases.touched`, as for what releases book.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from releases.touched import Given, Resources, Values, inputs_of, inside, resources_of
from releases.tree import Node, Tree

_NOTHING: Mapping[Any, Any] = {}
_TOUCHED = frozenset({"resources", "services", "environments"})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a scope can name of a release or an activity: ids, `group` empty for an ad hoc release.

    `resources` are all it touches, services, environments and those of unknown type alike. `called` are the processes
    that were called as subprocesses around an activity. `is_partial`: some of what it touches cannot be told.
    """

    group: str
    process: str
    resources: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    is_partial: bool = False


def in_scope(scope: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a freeze's `scope` holds the subject. Keys without ids say nothing; saying nothing holds nothing.

    Where it cannot be told what the subject touches, any resource may be among it.
    """
    if scope.get("everything"):
        return True
    own: dict[str, frozenset[str]] = {
        "groups": frozenset({subject.group} - {""}),
        "processes": subject.called | {subject.process},
        "resources": subject.resources,
        "services": subject.services,
        "environments": subject.environments,
        "tags": subject.tags,
    }
    named = {key: frozenset(scope[key]) for key in own if scope.get(key)}
    return bool(named) and all(ids & own[key] or (subject.is_partial and key in _TOUCHED) for key, ids in named.items())


def subject_of_release(
    root: Values, *, group: str, inputs: Values, kinds: Mapping[str, str], known: Values = _NOTHING
) -> Subject:
    """The release as a whole: its group, process and tags, the process's `resources` and inputs that name some.

    `root` is node 0 of the snapshot (of an expansion, before the start), `inputs` the resolved inputs of the process,
    `kinds` the type (service, environment) of every resource by id, `known` further names that expressions may use
    (`release`, `now`). A resource whose expression cannot be evaluated is left out, and the subject partial.
    """
    subject = Subject(group, root["spec"].get("process") or root["id"], tags=frozenset(root["tags"]))
    return _touching(subject, resources_of(root, inputs, known).sorted_by(kinds))


def subject_of_activity(
    tree: Tree,
    ordinal: int,
    *,
    release: Subject,
    inputs: Mapping[int, Values],
    kinds: Mapping[str, str],
    given: Given = _NOTHING,
    known: Values = _NOTHING,
) -> Subject:
    """An activity of a release: what the release is, narrowed and widened by what lies around it, outermost first.

    1. A phase's, subprocess's or activity's inputs of type service (environment) replace those known so far.
    2. A subprocess adds its process's `resources` and its id for what lies in it.
    3. Tags of the activity and of everything around it are added to the release's.

    `inputs` are resolved inputs by node, node 0 being the process; those of a node that has not opened yet are
    worked out from `given` (by path, as a release pins them) and `with` as far as possible, the rest left out.
    """
    other = release.resources - release.services - release.environments
    touched = Resources(release.services, release.environments, other, release.is_partial)
    outer = inside(tree.nodes[0].doc, inputs.get(0, _NOTHING), _NOTHING, known)
    way = _down_to(tree, ordinal)
    for node in way:
        own = inputs[node.ordinal] if node.ordinal in inputs else inputs_of(node.doc, outer, given)
        found = resources_of(node.doc, own, known)
        said = found.other if node.ordinal != ordinal else frozenset()
        narrowed = found.service or touched.service, found.environment or touched.environment
        is_partial = touched.is_partial or (node.ordinal != ordinal and found.is_partial)
        touched = Resources(*narrowed, touched.other | said, is_partial).sorted_by(kinds)
        outer = inside(node.doc, own, outer, known)
    return replace(
        _touching(release, touched),
        tags=release.tags.union(*(node.doc["tags"] for node in way)),
        called=release.called.union(node.doc["spec"]["process"] for node in way if node.kind == "subprocess"),
    )


def _touching(subject: Subject, touched: Resources) -> Subject:
    return replace(
        subject,
        resources=touched.all,
        services=touched.service,
        environments=touched.environment,
        is_partial=touched.is_partial,
    )


def _down_to(tree: Tree, ordinal: int) -> list[Node]:
    """The nodes on the way from below the root to `ordinal`, itself included."""
    chain: list[Node] = []
    here: int | None = ordinal
    while here:
        chain.append(tree.nodes[here])
        here = tree.nodes[here].parent
    return chain[::-1]
