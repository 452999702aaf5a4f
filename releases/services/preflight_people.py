"""Preflight, people: are there owners, do those exist who fill roles, are there enough to approve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from releases import approval, assignees
from releases.findings import Finding
from releases.services.outlook import Around, Outlook, names_of, rules_of

Node = Mapping[str, Any]


def owner_findings(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield a finding for every owner of phases and activities behind whom there is nobody."""
    first: dict[str, str] = {}
    for node in outlook.nodes:
        for name in node["owners"]:
            first.setdefault(name, node["path"])
    for name, path in first.items():
        kind, rest = assignees.split(name)
        if "${{" in name or kind == "role":
            continue
        if kind == "user" and rest not in around.people:
            yield _owner(f"There is no active person '{rest}', who owns '{path}'.", path)
        elif kind == "group" and rest not in around.members:
            yield _owner(f"There is no group '{rest}', which owns '{path}'.", path, "Create it, or name another owner.")
        elif kind == "group" and not around.members[rest]:
            yield _owner(f"The group '{rest}', which owns '{path}', has no active member.", path, "Add somebody to it.")


def _owner(message: str, path: str, cure: str = "Name another owner.") -> Finding:
    return Finding("owners_missing", message, cure, path=path)


def role_findings(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield a finding for every role that nobody fills; it stops the release where it is needed right at the start."""
    filled = around.roles.get(outlook.release.pk, {})
    first: dict[str, str] = {}
    urgent: set[str] = set()
    for ordinal, node in enumerate(outlook.nodes):
        for kind, rest in map(assignees.split, names_of(outlook, node)):
            if kind == "role" and rest not in filled:
                first.setdefault(rest, node["path"])
                urgent |= {rest} if _opens_at_once(outlook, ordinal) else set()
    roles = outlook.preview.expanded.get("roles") or {}
    for role, path in first.items():
        terms = roles.get(role) or {}
        who = tuple(f"{kind}:{terms[kind].removeprefix(f'{kind}:')}" for kind in ("group", "user") if terms.get(kind))
        message = f"Nobody fills the role '{role}'."
        yield Finding("role_unfilled", message, "Fill it.", stops=role in urgent, path=path, who=who)


def _opens_at_once(outlook: Outlook, ordinal: int) -> bool:
    """Return whether a node opens with the release: neither it nor anything around it needs something first."""
    here: int | None = ordinal
    while here is not None:
        if outlook.nodes[here]["needs"]:
            return False
        here = outlook.nodes[here]["parent"]
    return True


def approver_findings(outlook: Outlook, around: Around) -> Iterator[Finding]:
    """Yield a finding for every approval that too few active people could give, each filling one slot at the most.

    Whoever would start the release does not count where four eyes are asked for. Who acted elsewhere (`different_from`,
    `same_as`) is not known yet, and a role that nobody fills is told by itself.
    """
    for node in outlook.nodes:
        rules = rules_of(outlook, node)
        if not rules or any(_waits_for_role(outlook, around, rule) for rule in rules):
            continue
        barred = {outlook.starter} if node["spec"]["approval"].get("four_eyes", True) else set()
        named = [assignees.names_of_rule(rule) for rule in rules]
        eligible = [around.eligible(outlook.release.pk, names) - barred for names in named]
        everybody = sorted({person for people in eligible for person in people})
        for names, standing in zip(named, approval.standings(rules, eligible, everybody), strict=True):
            if standing.missing:
                yield _too_few(node, names, standing)


def _too_few(node: Node, names: list[str], standing: approval.Standing) -> Finding:
    there, who = len(standing.signers), ", ".join(names)
    message = f"'{node['path']}' needs {standing.need} sign-offs by {who}; {there} could be given."
    cure = "Add people, or ask for fewer. Nobody signs twice, nor whoever started it where four eyes are asked for."
    return Finding("approvers_too_few", message, cure, path=node["path"], who=tuple(names))


def _waits_for_role(outlook: Outlook, around: Around, rule: Mapping[str, Any]) -> bool:
    filled = around.roles.get(outlook.release.pk, {})
    named = map(assignees.split, assignees.names_of_rule(dict(rule)))
    return any(kind == "role" and rest not in filled for kind, rest in named)
