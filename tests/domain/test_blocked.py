"""Why something waits: the chains of activities, phases and releases, and the earliest they may start."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.errors import NotPermitted
from releases.execution import attempts, people
from releases.models import ActivityRun, Release
from releases.reading import release_blocked, run_blocked
from releases.reading.situation import situation_of
from releases.services import answering, planning, running
from tests import fakes
from tests.blocked import auto, by_hand, drawn, phase, phases, why
from tests.builders import MONDAY, phase_of, run_of, start, states, work
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


# What has not opened --------------------------------------------------------------------------------------------------
def test_a_chain_leads_from_the_last_phase_to_the_person_everything_waits_for(engine):
    # check(look) ──> build(make ──> pack) ──> ship(go)
    text = phases(
        phase("check", by_hand("look", does="tasks: [{id: t, name: Read it, groups: [security]}]")),
        phase("build", auto("make"), auto("pack", "depends_on: [make]"), more="depends_on: [check]"),
        phase("ship", auto("go"), more="depends_on: [build]"),
    )
    found = why(start(text), "ship/go")
    at_the_end = ("dependency check", ["task check/look"])
    assert drawn(found.links) == [("phase ship", [("dependency build", [at_the_end])])]
    assert found.links[0].who == ("group:security",)
    assert found.links[0].links[0].links[0].links[0].words == "The task “Read it” is not done."
    causes = "check/look (people: qa), build/make (automated, pending) and build/pack (automated, pending)"
    assert (found.earliest_at, found.hangs_on) == (None, f"It hangs on {causes}.")


def test_an_activity_names_every_one_it_needs_and_follows_each_once(engine):
    #  ┌─> b ─┐
    #  a      ├─> d        a runs
    #  └─> c ─┘
    engine.script["a"] = [fakes.running("1")]
    text = phases(
        phase(
            "p", auto("a"), auto("b", "depends_on: [a]"), auto("c", "depends_on: [a]"), auto("d", "depends_on: [b, c]")
        )
    )
    release = start(text)
    work(release)
    shape = [("dependency p/b", [("dependency p/a", ["running p/a"])]), ("dependency p/c", ["dependency p/a"])]
    assert drawn(why(release, "p/d").links) == shape
    assert why(release, "p/b").links[0].links[0].since == run_of(release, "p/a").started_at


def test_what_is_behind_a_failure_on_hold_says_who_decides(engine):
    # a ──> b ──> c         a is on hold
    engine.script["a"] = [fakes.failed()]
    text = phases(
        phase("p", auto("a", "owners: [user:ann]"), auto("b", "depends_on: [a]"), auto("c", "depends_on: [b]"))
    )
    release = start(text)
    work(release)
    found = why(release, "p/c")
    held = ("dependency_failed p/a", ["on_hold p/a"])
    assert drawn(found.links) == [("dependency_failed p/b", [held])]
    assert found.links[0].who == ("user:ann", "group:qa")
    decision = found.links[0].links[0].links[0]
    assert decision.words.startswith("It failed and waits for ann, qa or whoever operates the release to decide: ")
    assert drawn(why(release, "p/a").links) == ["on_hold p/a"]


def test_where_one_need_is_enough_each_is_named_as_one_of_several(engine):
    # a ──> c <── b     (needs: any)     a is on hold, b runs
    engine.script["a"], engine.script["b"] = [fakes.failed()], [fakes.running("1")]
    release = start(phases(phase("p", auto("a"), auto("b"), auto("c", "depends_on: [a, b]", "needs: any"))))
    work(release)
    found = why(release, "p/c")
    assert drawn(found.links) == [("dependency_failed p/a", ["on_hold p/a"]), ("dependency p/b", ["running p/b"])]
    assert all(link.words.endswith("; one of these is enough.") for link in found.links)


def test_a_phase_waits_only_for_what_is_first_in_the_one_it_needs(engine):
    # build(a ──> b, c) ──> ship        a runs, c waits
    engine.script["a"] = [fakes.running("1")]
    text = phases(
        phase("build", auto("a"), auto("b", "depends_on: [a]"), by_hand("c")),
        phase("ship", auto("go"), more="depends_on: [build]"),
    )
    release = start(text)
    work(release)
    found = run_blocked(phase_of(release, "ship"), now=MONDAY)
    assert (found.kind, drawn(found.links)) == ("phase", [("dependency build", ["running build/a", "done build/c"])])


CALLED = """
id: inner
phases:
  - id: first
    activities: [{id: ask, manual: {instructions: Look.}}]
  - id: then
    depends_on: [first]
    activities: [{id: tell, manual: {instructions: Look.}}]
"""


def test_a_subprocess_waits_and_lets_wait_as_what_is_in_it(engine):
    # go ──> call( first(ask) ──> then(tell) ) ──> end      go runs, then has succeeded
    engine.script["go"] = [fakes.running("1")]
    text = f"{CALLED}---\n" + phases(
        phase("p", auto("go"), "{id: call, subprocess: inner, depends_on: [go]}", by_hand("end", "depends_on: [call]"))
    )
    release = start(text)
    work(release)
    not_open = ("container p/call", [("dependency p/go", ["running p/go"])])
    assert drawn(why(release, "p/call/first/ask").links) == [("phase p/call/first", [not_open])]
    assert drawn(why(release, "p/end").links) == [("dependency p/call", [("dependency p/go", ["running p/go"])])]
    engine.looks["go"] = [fakes.Outcome("succeeded")]
    run = run_of(release, "p/go")
    attempts.look(release.pk, run.pk, 1)
    assert drawn(why(release, "p/end").links) == [("dependency p/call", ["done p/call/first/ask"])]
    behind = [("dependency p/call/first", ["done p/call/first/ask"])]
    assert drawn(why(release, "p/call/then/tell").links) == [("phase p/call/then", behind)]


EACH = phases(
    phase("p", "{id: each, for_each: '${{ [1, 2, 3, 4, 5] }}', parallel: 2, wait: 1h}", auto("z", "depends_on: [each]"))
)


def test_items_beyond_the_limit_wait_for_a_free_place_and_know_when_they_get_it():
    # each: 5 waits of an hour, 2 at once ──> z
    release = start(EACH)
    assert list(states(release).values()).count("waiting") == 2
    found = why(release, "p/each[4]")
    assert drawn(found.links) == [("parallel p/each", ["wait p/each[0]", "wait p/each[1]"])]
    assert found.links[0].words == "p/each runs 2 of its 5 items at once."
    assert [why(release, f"p/each[{index}]").earliest_at for index in (2, 3, 4)] == [
        MONDAY + HOUR,
        MONDAY + HOUR,
        MONDAY + 2 * HOUR,
    ]
    end = why(release, "p/z")
    assert drawn(end.links) == [("dependency p/each", ["wait p/each[0]", "wait p/each[1]"])]
    assert (end.earliest_at, end.hangs_on, end.links[0].until) == (MONDAY + 3 * HOUR, "", MONDAY + 3 * HOUR)


def test_a_long_row_beside_each_other_is_told_in_part():
    asks = [by_hand(f"a{number}") for number in range(9)]
    release = start(phases(phase("p", *asks), phase("q", by_hand("b"), more="depends_on: [p]")))
    links = why(release, "q/b").links[0].links[0].links
    assert [link.kind for link in links] == ["done"] * 6 + ["more"]
    assert links[-1].words == "And 3 more."


def test_a_paused_release_says_so_beside_everything_else(engine, manager):
    # a (queued) ──> b
    release = start(phases(phase("p", auto("a"), auto("b", "depends_on: [a]"))))
    running.pause_release(manager, release, now=MONDAY)
    assert drawn(why(release, "p/a").links) == ["queued p/a", f"paused release:{release.pk}"]
    assert drawn(why(release, "p/b").links) == [("dependency p/a", ["queued p/a"]), f"paused release:{release.pk}"]
    found = why(release, "p/a")
    assert (found.earliest_at, found.hangs_on) == (None, "It hangs on somebody resuming the release.")


def test_what_has_enough_and_only_waits_for_the_pause_names_no_need(engine, manager):
    # a ──> c <── b     (needs: any)     a has succeeded after the release was paused, b runs
    engine.script["a"], engine.script["b"] = [fakes.running("1")], [fakes.running("2")]
    engine.looks["a"] = [fakes.Outcome("succeeded")]
    release = start(phases(phase("p", auto("a"), auto("b"), auto("c", "depends_on: [a, b]", "needs: any"))))
    work(release)
    running.pause_release(manager, release, now=MONDAY)
    attempts.look(release.pk, run_of(release, "p/a").pk, 1)
    assert drawn(why(release, "p/c").links) == [f"paused release:{release.pk}"]


# id, terms of the approval: rules of several kinds, and who is kept out
TERMS = [
    "rules: [{group: qa, count: 2}]",
    "rules: [{group: qa, all: true}], four_eyes: false",
    "rules: [{group: qa, percent: 50}, {users: [ann, eve], count: 1}]",
    "rules: [{user: ben, count: 1}, {group: security, count: 1}], different_from: [before]",
    "rules: [{group: qa, count: 1}], same_as: [p.before]",
    "rules: [{group: 'role:lead', count: 1}, {group: nobody, count: 1}]",
]


@pytest.mark.parametrize("starter", ["ann", "eve"])
@pytest.mark.parametrize("terms", TERMS)
def test_sign_offs_of_a_whole_release_stand_as_they_do_for_one_activity(terms, starter, manager):
    # before (done by ann) ──> ask, again (two items), of which ben signs one if he may
    ann, ben, eve = member("ann", "qa", "security"), member("ben", "qa"), member("eve", "qa", "security")
    member("old", "qa", active=False)
    asks = by_hand("ask", "depends_on: [before]", does=f"approval: {{{terms}}}")
    again = by_hand("again", "depends_on: [before]", "for_each: '${{ [1, 2] }}'", does=f"approval: {{{terms}}}")
    release = start(
        phases(phase("p", by_hand("before"), asks, again), more="roles: {lead: {group: qa}}"),
        by={"ann": ann, "eve": eve}[starter],
    )
    planning.fill_role(manager, release, role="lead", user=ben, now=MONDAY)
    answering.complete_activity(ann, run_of(release, "p/before"), now=MONDAY)
    with suppress(NotPermitted):
        answering.sign_off(ben, run_of(release, "p/again[1]"), decision="approved", now=MONDAY)
    release.refresh_from_db()
    found = situation_of(release, now=MONDAY).asked
    waiting = list(ActivityRun.objects.filter(release=release, state="waiting"))
    assert len(waiting) >= 2
    assert {run.pk: found[run.pk].standings for run in waiting} == {
        run.pk: people.standings_of(release.pk, run) for run in waiting
    }


# A whole release ------------------------------------------------------------------------------------------------------
def test_a_release_lists_everything_idle_in_order_and_what_it_waits_for_itself(engine):
    # p(a ──> b, c) ──> q(d)        a runs
    engine.script["a"] = [fakes.running("1")]
    text = phases(
        phase("p", auto("a"), auto("b", "depends_on: [a]"), by_hand("c")), phase("q", auto("d"), more="depends_on: [p]")
    )
    release = start(text)
    work(release)
    found = release_blocked(None, release, now=MONDAY)
    assert drawn(found.links) == ["running p/a", "done p/c"]
    assert [(run.path, run.state) for run in found.runs] == [
        ("p/b", "pending"),
        ("p/c", "waiting"),
        ("q", "pending"),
        ("q/d", "pending"),
    ]


def test_what_is_over_waits_for_nothing(engine, manager):
    release = start(phases(phase("p", auto("a"), by_hand("b"))))
    work(release)
    assert why(release, "p/a").links == []
    running.abort_release(manager, release, now=MONDAY, reason="no")
    release.refresh_from_db()
    found = release_blocked(None, release, now=MONDAY)
    assert (found.links, found.runs) == ([], [])
    assert why(release, "p/b").links == []


def cost(release: Release) -> int:
    release_blocked(None, release, now=MONDAY)  # the tree is read once per process
    with CaptureQueriesContext(connection) as caught:
        release_blocked(None, release, now=MONDAY)
    return len(caught)


def test_a_release_costs_the_same_however_many_wait_and_for_whom():
    def many(count: int) -> Release:
        does = "tasks: [{id: t, name: T, groups: [g%d]}], approval: {rules: [{group: g%d}], different_from: [first]}"
        asks = [by_hand(f"a{n}", "depends_on: [first]", does=does % (n, n)) for n in range(count)]
        for n in range(count):
            member(f"person-{n}", f"g{n}")
        text = phases(phase("p", by_hand("first"), *asks)).replace("id: process", f"id: process-{count}")
        release = start(text)
        answering.complete_activity(member("ann", "qa"), run_of(release, "p/first"), now=MONDAY)
        return Release.objects.get(pk=release.pk)

    assert cost(many(2)) == cost(many(40)) < 16
