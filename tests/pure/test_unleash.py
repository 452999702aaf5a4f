"""The provider `unleash` against a double of Unleash; tests/system has a real one."""

from __future__ import annotations

from typing import Any

import pytest

from activities.providers.unleash import unleash_engine
from config.errors import RunnerRefused
from tests.flag_story import FlagStory
from tests.unleash_double import UnleashDouble

VIP = {"id": "vip", "name": "flexibleRollout", "title": "VIP", "disabled": False,
       "constraints": [{"contextName": "plan", "operator": "IN", "values": ["vip"]}],
       "parameters": {"rollout": "100", "stickiness": "userId", "groupId": "vip"}}  # fmt: skip


class TestUnleash(FlagStory):
    engine = unleash_engine()
    system = UnleashDouble
    known_as = "Unleash knows us as deployer; environments of 'default': development, production."

    def strategies(self, flags: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = flags.features["new-checkout"]["strategies"]
        return found

    def test_the_strategies_of_others_stay(self, flags: Any) -> None:
        self.made(flags)
        staff = {**VIP, "id": "staff", "title": "Staff", "constraints": [], "segments": [1]}
        self.strategies(flags).extend((dict(VIP), dict(staff)))
        outcome = self.do(flags, "rollout", percentage="10")
        assert outcome.log.endswith("Strategies for some users only, which stay as they are: 2.\n")
        self.do(flags, "enable")
        self.do(flags, "off")
        assert [one["title"] for one in self.strategies(flags)] == ["VIP", "Staff", "Pilothouse"]
        assert self.strategies(flags)[:2] == [VIP, staff]

    def test_the_one_gradual_rollout_for_everyone_is_used_with_all_else_in_it(self, flags: Any) -> None:
        self.made(flags)
        given = {"rollout": "5", "stickiness": "sessionId", "groupId": "checkout"}
        self.strategies(flags).append({**VIP, "constraints": [], "parameters": given})
        outcome = self.do(flags, "rollout", percentage="10")
        assert outcome.outputs["previous_percentage"] == "5"
        assert self.strategies(flags)[0]["parameters"] == {**given, "rollout": "10"}
        self.do(flags, "rollout", percentage="10", stickiness="userId")
        assert self.strategies(flags)[0]["parameters"]["stickiness"] == "userId"
        assert len(self.strategies(flags)) == 1

    def test_a_new_rollout_sticks_to_what_it_is_told(self, flags: Any) -> None:
        self.made(flags)
        self.do(flags, "rollout", percentage="10", stickiness="userId")
        assert self.strategies(flags)[0]["parameters"] == {
            "rollout": "10", "stickiness": "userId", "groupId": "new-checkout"}  # fmt: skip

    def test_a_flag_that_others_decide_about_for_everyone_is_not_rolled_out_but_turned_off(self, flags: Any) -> None:
        self.made(flags, "10")
        self.strategies(flags).append({"id": "d", "name": "default", "constraints": [], "parameters": {}})
        with pytest.raises(RunnerRefused, match="Pilothouse, default"):
            self.asking.start(self.order(flags, "rollout", percentage="20"))
        assert self.do(flags, "off").status == "succeeded"
        self.strategies(flags)[1]["disabled"] = True
        assert self.do(flags, "rollout", percentage="20").status == "succeeded"

    def test_somebody_elses_percentage_is_not_overwritten_unseen(self, flags: Any) -> None:
        self.made(flags, "10")
        place = self.engine._make(flags.settings(), "flag-secret", self.engine._wanted(
            self.order(flags, "rollout", percentage="20")), None)  # type: ignore[arg-type]  # fmt: skip

        async def meanwhile(web: Any) -> None:
            place._web = web  # type: ignore[attr-defined]
            standing = await place.read()
            self.strategies(flags)[0]["parameters"]["rollout"] = "30"
            assert standing is not None
            await place.change(standing)

        with pytest.raises(Exception, match="Test operation failed"):
            self.asking.ask(meanwhile)
        assert flags.stands() == (True, 30)

    def test_kinds_are_told_apart_and_an_archived_name_is_refused(self, flags: Any) -> None:
        assert self.do(flags, "create", kind="experiment", description="Try it").status == "succeeded"
        made = flags.features["new-checkout"]
        assert (made["type"], made["description"], made["enabled"]) == ("experiment", "Try it", False)
        assert self.do(flags, "create").status == "succeeded"
        with pytest.raises(RunnerRefused, match="of the kind 'experiment' and not 'release'"):
            self.asking.start(self.order(flags, "create", kind="release"))
        flags.vanish()
        flags.archived.add("new-checkout")
        assert "already exists" in self.do(flags, "create").error

    def test_an_environment_that_is_not_there_is_refused(self, flags: Any) -> None:
        self.made(flags)
        with pytest.raises(RunnerRefused, match="no environment 'moon'"):
            self.asking.start(self.order(flags, "enable", environment="moon"))
