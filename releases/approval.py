"""When enough of the right people have signed (product, section 5). Pure.

Every rule of an approval must be met; nobody fills two slots. Who fills which slot is not fixed by who came first: the
sign-offs are matched to the rules so that as many slots as possible are filled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Standing:
    """How one rule stands: who may sign for it (user ids), how many are needed, and who fills its slots."""

    rule: Mapping[str, Any]
    eligible: frozenset[int]
    need: int
    signers: tuple[int, ...]

    @property
    def missing(self) -> int:
        """How many more sign-offs the rule needs."""
        return max(0, self.need - len(self.signers))


def needed(rule: Mapping[str, Any], eligible: int) -> int:
    """Return how many sign-offs a rule asks for, of `eligible` people: `count`, `all`, or `percent` rounded up."""
    if rule.get("all"):
        return max(1, eligible)
    if rule.get("percent") is not None:
        return max(1, math.ceil(eligible * float(rule["percent"]) / 100))
    return int(rule.get("count") or 1)


def standings(
    rules: Sequence[Mapping[str, Any]],
    eligible: Sequence[AbstractSet[int]],
    approvers: Sequence[int],
    *,
    needs: Sequence[int] | None = None,
) -> list[Standing]:
    """Return how every rule stands after `approvers` (user ids, in order) have approved.

    `needs` is how many sign-offs each rule asks for, if that does not follow from who is eligible.
    """
    if needs is None:
        needs = [needed(rule, len(people)) for rule, people in zip(rules, eligible, strict=True)]
    slots = match(needs, eligible, approvers)
    filled = [
        tuple(user for user in dict.fromkeys(approvers) if slots.get(user) == index) for index in range(len(rules))
    ]
    return [
        Standing(rule, frozenset(people), need, signers)
        for rule, people, need, signers in zip(rules, eligible, needs, filled, strict=True)
    ]


def match(needs: Sequence[int], eligible: Sequence[AbstractSet[int]], approvers: Sequence[int]) -> dict[int, int]:
    """Return the rule each approver counts for, such that as many slots as possible are filled (augmenting paths)."""
    holders: list[list[int]] = [[] for _ in needs]

    def place(user: int, tried: set[int]) -> bool:
        for rule, people in enumerate(eligible):
            if user not in people or rule in tried:
                continue
            tried.add(rule)
            if len(holders[rule]) < needs[rule]:
                holders[rule].append(user)
                return True
            for other in list(holders[rule]):
                if place(other, tried):
                    holders[rule].remove(other)
                    holders[rule].append(user)
                    return True
        return False

    for user in dict.fromkeys(approvers):
        place(user, set())
    return {user: rule for rule, users in enumerate(holders) for user in users}


def could_count(standing: Sequence[Standing], user: int) -> bool:
    """Return whether one more approval, by `user`, would fill a slot."""
    approvers = [signer for rule in standing for signer in rule.signers]
    needs, eligible = [rule.need for rule in standing], [rule.eligible for rule in standing]
    return user not in approvers and user in match(needs, eligible, [*approvers, user])
