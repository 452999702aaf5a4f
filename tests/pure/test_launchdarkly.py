"""The provider `launchdarkly` against a double of LaunchDarkly's API."""

from __future__ import annotations

from typing import Any

import pytest

from activities.providers.launchdarkly import launchdarkly_engine
from config.errors import RunnerRefused, RunnerUnavailable
from tests.flag_story import FlagStory
from tests.launchdarkly_double import LaunchDarklyDouble


class TestLaunchDarkly(FlagStory):
    engine = launchdarkly_engine()
    system = LaunchDarklyDouble
    known_as = "LaunchDarkly knows the token as 'Releases', which can see 'Production' of 'default'."

    def here(self, flags: Any) -> dict[str, Any]:
        found: dict[str, Any] = flags.flags["new-checkout"]["environments"]["production"]
        return found

    def test_rules_and_targets_of_others_stay(self, flags: Any) -> None:
        self.made(flags)
        kept = {
            "rules": [{"clauses": [], "variation": 0}],
            "targets": [{"values": ["ann"], "variation": 0}],
            "prerequisites": [{"key": "cart", "variation": 0}],
        }
        self.here(flags).update(kept)
        outcome = self.do(flags, "rollout", percentage="10")
        assert "left as it is: 1 rules, 1 targets, 1 prerequisites." in outcome.log
        self.do(flags, "enable")
        self.do(flags, "off")
        assert {name: self.here(flags)[name] for name in kept} == kept

    def test_a_change_is_one_patch_that_says_who_made_it(self, flags: Any) -> None:
        self.made(flags, "25")
        patches = [one.json for one in flags.changes if one.method == "PATCH"]
        assert [one["kind"] for one in patches[0]["instructions"]] == [
            "updateFallthroughVariationOrRollout", "turnFlagOn"]  # fmt: skip
        assert patches[0]["comment"] == "Pilothouse: rollout"
        assert len(patches) == 1

    def test_what_a_rollout_sticks_to_is_kept_unless_another_is_asked_for(self, flags: Any) -> None:
        self.made(flags)
        self.do(flags, "rollout", percentage="10", stickiness="organization")
        self.here(flags)["fallthrough"]["rollout"]["bucketBy"] = "plan"
        self.do(flags, "rollout", percentage="20")
        rollout = self.here(flags)["fallthrough"]["rollout"]
        assert (rollout["contextKind"], rollout["bucketBy"]) == ("organization", "plan")
        self.do(flags, "rollout", percentage="20", stickiness="user")
        rollout = self.here(flags)["fallthrough"]["rollout"]
        assert (rollout["contextKind"], "bucketBy" in rollout) == ("user", False)

    def test_somebody_who_was_faster_is_waited_for_and_an_approval_is_not(self, flags: Any) -> None:
        self.made(flags, "25")
        order = self.order(flags, "enable")
        flags.busy = 1
        with pytest.raises(RunnerUnavailable, match="Somebody else"):
            self.asking.look(order, "on 25")
        assert self.asking.look(order, "on 25").status == "succeeded"
        flags.guarded = True
        assert self.do(flags, "off").error == "LaunchDarkly wants an approval of this change."

    def test_what_is_not_on_or_off_is_refused(self, flags: Any) -> None:
        self.made(flags)
        self.here(flags)["offVariation"] = 0
        with pytest.raises(RunnerRefused, match="off variation is true"):
            self.asking.start(self.order(flags, "off"))
        flag = flags.flags["new-checkout"]
        for name, value, words in (
            ("variations", [{"_id": "a", "value": "red"}], "true and false"),
            ("archived", True, "archived"),
            ("environments", {}, "no environment 'production'"),
        ):
            known, flag[name] = flag[name], value
            with pytest.raises(RunnerRefused, match=words):
                self.asking.start(self.order(flags, "enable"))
            flag[name] = known
