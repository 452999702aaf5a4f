"""The provider `flagsmith` against a double of Flagsmith's API."""

from __future__ import annotations

from typing import Any

from activities.providers.flagsmith import flagsmith_engine
from tests.flag_story import FlagStory
from tests.flagsmith_double import FlagsmithDouble


class TestFlagsmith(FlagStory):
    engine = flagsmith_engine()
    system = FlagsmithDouble
    known_as = "Flagsmith shows us 'Shop' with the environments Production."

    def overrides(self, flags: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = flags.states[flags.features[0]["id"]]["segment_overrides"]
        return found

    def test_a_percentage_is_one_segment_of_our_own_for_each_flag_and_environment(self, flags: Any) -> None:
        self.made(flags, "25")
        self.do(flags, "rollout", percentage="60")
        assert [one["name"] for one in flags.segments] == ["Pilothouse new-checkout production"]
        assert len(self.overrides(flags)) == 1
        split = {"operator": "PERCENTAGE_SPLIT", "property": "$.identity.key", "value": "60"}
        inner = {"type": "ANY", "conditions": [split]}  # a rule in a rule has no rules of its own
        assert flags.segments[0]["rules"] == [{"type": "ALL", "rules": [inner], "conditions": []}]

    def test_overrides_for_others_stay_and_go_first(self, flags: Any) -> None:
        self.made(flags)
        vip = {"segment": {"id": 9}, "priority": 3, "enabled": False, "value": None, "variants": []}
        self.overrides(flags).append(dict(vip))
        outcome = self.do(flags, "rollout", percentage="10")
        assert outcome.log.endswith("Overrides for other segments, which stay as they are: 1.\n")
        self.do(flags, "enable")
        self.do(flags, "off")
        assert self.overrides(flags)[0] == vip
        assert [one["priority"] for one in self.overrides(flags)] == [3, 4]

    def test_a_segment_that_somebody_has_changed_is_set_right(self, flags: Any) -> None:
        self.made(flags, "25")
        flags.segments[0]["rules"][0]["rules"].append({"type": "ANY", "conditions": []})
        outcome = self.do(flags, "rollout", percentage="25")
        assert (outcome.status, outcome.outputs["previous_percentage"]) == ("succeeded", "")
        assert len(flags.segments[0]["rules"][0]["rules"]) == 1

    def test_off_is_off_for_everyone_and_on_is_on_for_everyone(self, flags: Any) -> None:
        self.made(flags, "25")
        self.do(flags, "enable")
        self.do(flags, "off")
        assert flags.stands() == (False, 25)
        assert not self.overrides(flags)[0]["enabled"]
        self.do(flags, "enable")
        assert (flags.stands(), self.overrides(flags)[0]["enabled"]) == ((True, 100), True)

    def test_a_token_of_a_user_is_sent_as_one(self, flags: Any) -> None:
        self.made(flags)
        order = self.order(flags, "enable")
        place = self.engine._make({**order.connection, "token": "user"}, "x", self.engine._wanted(order), None)  # type: ignore[arg-type]
        assert place._headers == {"authorization": "Token x"}  # type: ignore[attr-defined]
