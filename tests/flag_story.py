"""What every system for feature flags is held to; a test file of one subclasses `FlagStory`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from activities.engines import Connected
from activities.providers.flags import VERBS, FlagEngine
from activities.runners import BUILT_IN, Order, Outcome, runner_for
from config.errors import RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import Answering, EngineDouble, Reply, double
from tests.flag_double import SECRET, FlagDouble

KEY = "7-1-1700000000000000"
Listening = Callable[[Answering], AbstractContextManager[EngineDouble]]
"""What has a double listen as long as a block lasts."""
LOST = [Reply(hang_up=True), Reply(502), Reply(200, b'{"na'), Reply(200, b"{}", promised=9)]


class FlagStory:
    """`engine` and `system` are what is tested; a verb is carried out as the follower would, a look after the start."""

    engine: ClassVar[FlagEngine]
    system: ClassVar[type[FlagDouble]]
    known_as: ClassVar[str]

    @pytest.fixture
    def listening(self) -> Listening:
        return double

    @pytest.fixture
    def flags(self, settings: Any, listening: Listening) -> Iterator[FlagDouble]:
        settings.OUTBOUND_ALLOW = ["127.0.0.1"]
        flags = self.system()
        with listening(flags) as api:
            flags.url, flags.asked = api.url, api.asked
            yield flags

    @property
    def asking(self) -> Asking:
        return Asking(self.engine, SECRET)

    def order(self, flags: FlagDouble, verb: str, **parameters: str) -> Order:
        given = {"flag": "new-checkout", **parameters}
        now = datetime.now(UTC)
        return Order(KEY, flags.settings(), {"pipeline": verb}, SECRET, given, (SECRET,), started_at=now)

    def do(self, flags: FlagDouble, verb: str, **parameters: str) -> Outcome:
        order = self.order(flags, verb, **parameters)
        return self.asking.look(order, self.asking.start(order).reference)

    def made(self, flags: FlagDouble, share: str = "") -> None:
        assert self.do(flags, "create").status == "succeeded"
        if share:
            assert self.do(flags, "rollout", percentage=share).status == "succeeded"

    def patiently(self, order: Order, reference: str) -> Outcome:
        for _ in range(3):
            try:
                return self.asking.look(order, reference)
            except RunnerUnavailable as error:
                told = error.message
        raise AssertionError(told)

    # The way of a release ---------------------------------------------------------------------------------------------
    def test_a_flag_is_made_rolled_out_enabled_and_turned_off(self, flags: FlagDouble) -> None:
        story = [
            ("create", {}, False, None),
            ("rollout", {"percentage": "25"}, True, 25),
            ("rollout", {"percentage": "60"}, True, 60),
            ("enable", {}, True, 100),
            ("off", {}, False, None),
        ]
        for verb, parameters, enabled, share in story:
            outcome = self.do(flags, verb, **parameters)
            assert (outcome.status, outcome.error) == ("succeeded", ""), verb
            assert outcome.outputs["flag"] == "new-checkout"
            assert outcome.outputs["environment"] == "production"
            assert outcome.outputs["enabled"] == str(enabled).lower()
            stands = flags.stands()
            assert stands is not None
            assert stands[0] is enabled
            if share is not None:
                assert stands[1] == share
                assert outcome.outputs["percentage"] == str(share)
            assert outcome.log.startswith("'new-checkout' in 'production' was ")
            assert outcome.link.startswith("http")

    def test_nothing_is_changed_before_how_it_stood_is_kept(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        count = len(flags.changes)
        started = self.asking.start(self.order(flags, "rollout", percentage="75"))
        assert (started.status, started.reference, started.look_in) == ("running", "on 25", 0.0)
        assert len(flags.changes) == count
        assert flags.stands() == (True, 25)

    def test_what_stands_already_is_left_alone(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        count = len(flags.changes)
        assert self.do(flags, "rollout", percentage="25").status == "succeeded"
        assert self.do(flags, "create").status == "succeeded"
        assert len(flags.changes) == count

    def test_it_is_set_back_to_how_it_stood(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        told = self.do(flags, "rollout", percentage="75").outputs
        assert (told["previous_enabled"], told["previous_percentage"]) == ("true", "25")
        back = {"percentage": told["previous_percentage"], "enabled": told["previous_enabled"]}
        assert self.do(flags, "rollout", **back).status == "succeeded"
        assert flags.stands() == (True, 25)
        self.do(flags, "off")
        told = self.do(flags, "enable").outputs
        assert told["previous_enabled"] == "false"
        back = {"percentage": told.get("previous_percentage", ""), "enabled": told["previous_enabled"]}
        assert self.do(flags, "rollout", **back).outputs["enabled"] == "false"
        stands = flags.stands()
        assert stands is not None
        assert not stands[0]

    # What goes wrong --------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("verb", ["create", "rollout", "enable", "off"])
    def test_a_lost_answer_is_made_good_and_nothing_is_forgotten(
        self, flags: FlagDouble, verb: str, lost: Reply
    ) -> None:
        if verb != "create":
            self.made(flags, "25")
        order = self.order(flags, verb, **({"percentage": "50"} if verb == "rollout" else {}))
        reference = self.asking.start(order).reference
        flags.lost = [lost]
        outcome = self.patiently(replace(order, again=True), reference)
        assert (outcome.status, outcome.error) == ("succeeded", "")
        assert outcome.outputs["previous_enabled"] == str(verb != "create").lower()
        if verb != "create":
            assert outcome.outputs["previous_percentage"] == "25"

    def test_a_bad_moment_changes_nothing(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        order = self.order(flags, "enable")
        reference = self.asking.start(order).reference
        limited = Reply(429, {"message": f"slow down {SECRET}"}, {"Retry-After": "30"})
        for broken in (limited, Reply(503, b"<html>"), Reply(200, b'{"name": "new'), Reply(200, b"7"), LOST[0]):
            flags.next = [replace(broken)]
            with pytest.raises(RunnerUnavailable) as error:
                self.asking.look(order, reference)
            assert SECRET not in error.value.message
            assert error.value.retry_after == (30 if broken is limited else None)
        assert flags.stands() == (True, 25)
        assert self.asking.look(order, reference).status == "succeeded"

    def test_a_wrong_token_is_refused_and_kept_secret(self, flags: FlagDouble) -> None:
        self.made(flags)
        with pytest.raises(RunnerRefused, match="401") as error:
            self.asking.start(replace(self.order(flags, "enable"), secret="wrong"))
        assert (SECRET in error.value.message, error.value.code) == (False, "engine_denied")
        outcome = self.asking.look(replace(self.order(flags, "enable"), secret="wrong"), "off")
        assert outcome.status == "failed"
        assert SECRET not in outcome.error

    def test_a_change_that_is_not_taken_is_a_failure(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        flags.deaf = True
        for verb, parameters in (("enable", {}), ("rollout", {"percentage": "5"}), ("off", {})):
            outcome = self.do(flags, verb, **parameters)
            assert outcome.status == "failed"
            assert "was not taken" in outcome.error

    def test_a_flag_that_is_not_there_is_refused_and_one_that_vanishes_has_failed(self, flags: FlagDouble) -> None:
        for verb, parameters in (("enable", {}), ("rollout", {"percentage": "5"}), ("off", {})):
            with pytest.raises(RunnerRefused, match="create it first"):
                self.asking.start(self.order(flags, verb, **parameters))
        self.made(flags, "25")
        order = self.order(flags, "enable")
        reference = self.asking.start(order).reference
        flags.vanish()
        assert "no longer there" in self.asking.look(order, reference).error

    def test_nothing_changes_after_the_timeout(self, flags: FlagDouble) -> None:
        self.made(flags, "25")
        began = datetime.now(UTC) - timedelta(minutes=10)
        late = replace(self.order(flags, "enable"), timeout=60.0, started_at=began)
        assert self.asking.look(late, "on 25").status == "running"
        assert flags.stands() == (True, 25)
        self.asking.ask(lambda web: self.engine.cancel(late, "on 25", web))
        assert flags.stands() == (True, 25)

    # What is asked for ------------------------------------------------------------------------------------------------
    def test_everything_wrong_with_an_order_is_told_at_once(self, flags: FlagDouble) -> None:
        order = replace(self.order(flags, "rollout", percentage="101", unheard="1"), connection={"url": flags.url})
        with pytest.raises(RunnerRefused) as error:
            self.asking.start(replace(order, parameters={**order.parameters, "flag": "a/b"}))
        for words in ("unheard: 'rollout' takes no such", "flag: 'a/b'", "environment: It is missing", "0 to 100"):
            assert words in error.value.message
        for wrong, words in (({"percentage": ""}, "percentage: It is missing"), ({"enabled": "yes"}, "true or false")):
            with pytest.raises(RunnerRefused, match=words):
                self.asking.start(self.order(flags, "rollout", **{"percentage": "5", **wrong}))
        with pytest.raises(RunnerRefused, match="write one of: create, enable"):
            self.asking.start(self.order(flags, "delete"))
        assert flags.asked == []

    def test_the_connection_is_tested_and_verbs_are_picked(self, flags: FlagDouble) -> None:
        known = Connected("flags", flags.settings(), SECRET, (SECRET,))
        assert self.known_as in self.asking.ask(lambda web: self.engine.check(known, web))
        with pytest.raises(RunnerRefused, match="401"):
            self.asking.ask(lambda web: self.engine.check(replace(known, secret="wrong"), web))
        found = self.asking.ask(lambda web: self.engine.pipelines(known, web, ""))
        assert [one.id for one in found] == list(VERBS)
        wanted = self.asking.ask(lambda web: self.engine.parameters(known, web, "rollout"))
        shown = {one.name: (one.type, one.default, one.is_required) for one in wanted}
        assert shown["percentage"] == ("integer", "", True)
        assert shown["environment"] == ("string", "production", False)
        assert self.engine.kind in BUILT_IN
        assert isinstance(runner_for(self.engine.kind), FlagEngine)
