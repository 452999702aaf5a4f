"""Matching sign-offs to the slots of an approval's rules, without a database."""

from __future__ import annotations

import itertools

import pytest

from releases.approval import could_count, match, needed, standings

ANN, BEN, CAT, DAN, EVE = range(1, 6)
ONE = {"count": 1}


def missing(rules, eligible, approvers):
    return [standing.missing for standing in standings(rules, eligible, approvers)]


@pytest.mark.parametrize(
    ("rule", "eligible", "expected"),
    [
        ({"count": 2}, 5, 2),
        ({"count": 2}, 0, 2),
        ({}, 5, 1),
        ({"all": True}, 3, 3),
        ({"all": True}, 0, 1),
        ({"percent": 50}, 4, 2),
        ({"percent": 50}, 5, 3),
        ({"percent": 1}, 5, 1),
        ({"percent": 100}, 7, 7),
        ({"percent": 33}, 3, 1),
        ({"percent": 50}, 0, 1),
    ],
)
def test_a_rule_asks_for_a_count_for_all_or_for_a_share_rounded_up(rule, eligible, expected):
    assert needed(rule, eligible) == expected


def test_nobody_has_signed_so_everything_is_missing():
    assert missing([{"count": 2}, {"all": True}], [{ANN, BEN}, {CAT}], []) == [2, 1]


def test_who_is_not_eligible_fills_no_slot():
    assert missing([ONE], [{ANN}], [BEN]) == [1]


def test_nobody_fills_two_slots():
    assert missing([ONE, ONE], [{ANN, BEN}, {ANN, BEN}], [ANN]) == [0, 1]
    assert missing([{"count": 2}], [{ANN, BEN}], [ANN, ANN]) == [1]


def test_who_signed_first_makes_room_when_somebody_else_fits_only_there():
    # Ann may sign for both rules and Ben only for the first: Ann moves on to the second.
    found = standings([ONE, ONE], [{ANN, BEN}, {ANN}], [ANN, BEN])
    assert [standing.signers for standing in found] == [(BEN,), (ANN,)]


def test_a_chain_of_three_makes_room():
    # rules: {Ann, Ben}, {Ben, Cat}, {Cat, Dan}; Ann only fits the first, Ben and Cat have signed before her.
    found = standings([ONE] * 3, [{ANN, BEN}, {BEN, CAT}, {CAT, DAN}], [BEN, CAT, ANN])
    assert [standing.missing for standing in found] == [0, 0, 0]


def test_signers_are_told_in_the_order_in_which_they_signed():
    assert standings([{"count": 2}], [{ANN, BEN}], [BEN, ANN])[0].signers == (BEN, ANN)


def test_one_signature_too_many_fills_nothing():
    assert len(match([1], [{ANN, BEN}], [ANN, BEN])) == 1


def test_who_is_needed_may_be_said_apart_from_who_is_eligible():
    (standing,) = standings([{"all": True}], [{ANN, BEN, CAT}], [CAT], needs=[2])
    assert (standing.need, standing.missing) == (2, 1)


def test_one_more_approval_counts_only_if_it_fills_a_slot():
    found = standings([ONE, ONE], [{ANN, BEN}, {ANN}], [ANN])
    assert could_count(found, BEN)
    assert not could_count(found, CAT)
    assert not could_count(found, ANN)
    full = standings([ONE], [{ANN, BEN}], [ANN])
    assert not could_count(full, BEN)


def test_a_signer_whom_nobody_needs_any_more_does_not_stand_in_the_way():
    found = standings([ONE, ONE], [{ANN, BEN}, {CAT}], [ANN, BEN])
    assert could_count(found, CAT)


def most_slots(needs, eligible, approvers):
    """The most slots that can be filled, by trying everything."""
    choices = [[None, *(rule for rule, people in enumerate(eligible) if user in people)] for user in approvers]
    plans = itertools.product(*choices)
    fitting = (plan for plan in plans if all(plan.count(rule) <= need for rule, need in enumerate(needs)))
    return max(sum(rule is not None for rule in plan) for plan in fitting)


def test_as_many_slots_as_possible_are_filled_whoever_signs_in_whatever_order():
    groups = [{ANN, BEN}, {BEN, CAT, DAN}, {ANN, EVE}]
    for needs in itertools.product((1, 2), repeat=3):
        for size in (2, 3, 4):
            for approvers in itertools.permutations((ANN, BEN, CAT, DAN, EVE), size):
                found = match(needs, groups, approvers)
                assert len(found) == most_slots(needs, groups, approvers)
                assert all(user in groups[rule] for user, rule in found.items())
