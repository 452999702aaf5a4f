"""Checking who is named: owners, assignees and approvers, and whether enough people exist for every rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from config.errors import ExpressionFailed
from processes import expressions
from processes.catalogue import Catalogue
from processes.checks_report import Place, Report
from processes.checks_values import check_length, check_text
from processes.expressions_text import is_expression
from processes.schema_words import did_you_mean


class People:
    """The checks that need to know the people, groups and roles; what it finds goes into the report."""

    def __init__(self, report: Report, catalogue: Catalogue, roles: Collection[str]) -> None:
        self.report = report
        self.catalogue = catalogue
        self.roles = roles

    def named(self, names: Any, place: Place, otherwise: str = "group") -> None:
        """Checks a list of `group:x`, `user:x`, `role:x` (without a prefix: `otherwise`), expressions included."""
        for index, name in enumerate(names or ()):
            self.one(name, place.at(index), otherwise)

    def one(self, name: str, place: Place, otherwise: str = "group") -> None:
        """Checks one name: a role must be declared (fault), a group and a person should exist (warning)."""
        if is_expression(name):
            self.report.add(check_text(name, "string", place))
            return
        kind, value = split_name(name, otherwise)
        if kind == "role" and value not in self.roles:
            cure = did_you_mean(value, self.roles, "Declare it under 'roles'.")
            self.report.fault(place.path, f"There is no role '{value}' in this process.", cure)
        if kind == "group" and value not in self.catalogue.groups():
            cure = did_you_mean(value, self.catalogue.groups(), "Create it before a release needs it.")
            self.report.warn(place.path, f"There is no group '{value}' yet.", cure)
        if kind == "user" and value not in self.catalogue.people():
            self.report.warn(
                place.path, f"There is no active person '{value}'.", did_you_mean(value, self.catalogue.people())
            )

    def approval(self, approval: Mapping[str, Any], place: Place) -> None:
        """Checks an approval's rules, limits and escalation."""
        for index, rule in enumerate(approval.get("rules", ())):
            self._rule(rule, place.at("rules", index))
        self.report.add(check_length(approval.get("expires_in"), place.at("expires_in")))
        if approval.get("escalate_to"):
            self.one(approval["escalate_to"], place.at("escalate_to"))
        if approval.get("on_expiry") == "escalate" and not approval.get("escalate_to"):
            self.report.fault(
                place.at("escalate_to").path, "Escalation needs a group to escalate to.", "Add 'escalate_to'."
            )
        if approval.get("on_expiry") and not approval.get("expires_in"):
            self.report.fault(place.at("expires_in").path, "'on_expiry' needs 'expires_in'.", "Say after how long.")

    def enough(self, approval: Mapping[str, Any], place: Place, owners: Collection[str]) -> None:
        """Warns when a rule needs more people than its group has; `${{ phase.owners[0] }}` is read from `owners`."""
        for index, rule in enumerate(approval.get("rules", ())):
            group = self._resolved(rule.get("group"), owners)
            if group is None:
                continue
            there, wanted = len(self.catalogue.groups().get(group, ())), int(rule.get("count", 1))
            if group not in self.catalogue.groups():
                self.report.warn(place.at("rules", index, "group").path, f"There is no group '{group}' yet.")
            elif there < wanted:
                words = f"'{group}' has {there} active people, fewer than the {wanted} this rule needs."
                self.report.warn(place.at("rules", index).path, words, "Add people to the group, or ask for fewer.")

    def _rule(self, rule: Mapping[str, Any], place: Place) -> None:
        who = [key for key in ("group", "user", "users") if key in rule]
        if len(who) != 1:
            self.report.fault(
                place.path, "A rule names exactly one of group, user and users.", "Split it into several rules."
            )
        how = [key for key in ("count", "all", "percent") if rule.get(key)]
        if len(how) > 1:
            self.report.fault(place.path, f"A rule cannot have both {' and '.join(how)}.", "Keep one of them.")
        for key, otherwise in (("group", "group"), ("user", "user")):
            if key in rule:
                self.one(rule[key], place.at(key), otherwise)
        self.named(rule.get("users"), place.at("users"), "user")
        if "users" in rule and int(rule.get("count", 1)) > len(rule["users"]):
            self.report.fault(place.at("count").path, f"Only {len(rule['users'])} people are named.", "Ask for fewer.")

    def _resolved(self, group: Any, owners: Collection[str]) -> str | None:
        if not isinstance(group, str):
            return None
        try:
            found = expressions.evaluate(group, {"phase": {"owners": list(owners)}})
        except ExpressionFailed:
            return None
        kind, value = split_name(str(found), "group")
        return value if kind == "group" else None


def split_name(name: str, otherwise: str = "group") -> tuple[str, str]:
    """`group:qa` as (group, qa); a name without a prefix has the kind `otherwise`."""
    kind, colon, value = name.partition(":")
    return (kind, value) if colon else (otherwise, name)
