"""The provider `harness_fme` against a double of the Admin API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities.providers.harness_fme import harness_fme_engine
from config.errors import RunnerRefused
from processes.document import load
from processes.engines import work_faults
from tests.flag_story import FlagStory
from tests.harness_fme_double import HarnessDouble

SHIPPED = Path(__file__).parents[2] / "processes/shipped"


class TestHarnessFme(FlagStory):
    engine = harness_fme_engine()
    system = HarnessDouble
    known_as = "Harness FME accepts the key; environments of the workspace: production, staging."

    def here(self, flags: Any) -> dict[str, Any]:
        found: dict[str, Any] = flags.definitions["new-checkout"]
        return found

    def test_an_environment_gets_its_first_definition_when_the_flag_is_turned_on_there(self, flags: Any) -> None:
        self.made(flags)
        assert flags.definitions == {}
        assert self.do(flags, "off").status == "succeeded"
        assert flags.definitions == {}
        outcome = self.do(flags, "rollout", percentage="25")
        assert (outcome.outputs["previous_enabled"], outcome.outputs["previous_percentage"]) == ("false", "")
        assert outcome.link == "https://app.harness.io/fme/splits/f-1?env=production"
        assert self.here(flags)["defaultTreatment"] == "off"
        assert self.here(flags)["treatments"] == [{"name": "on"}, {"name": "off"}]

    def test_rules_of_others_stay_and_a_kill_is_taken_back(self, flags: Any) -> None:
        self.made(flags, "25")
        kept = [{"condition": {"combiner": "AND", "matchers": []}, "buckets": [{"treatment": "on", "size": 100}]}]
        self.here(flags)["rules"] = list(kept)
        self.here(flags)["killed"] = True
        outcome = self.do(flags, "rollout", percentage="30")
        assert outcome.log.endswith("left as it is: 1 rules.\n")
        self.do(flags, "off")
        assert self.here(flags)["killed"]
        assert self.do(flags, "enable").outputs["previous_percentage"] == "30"
        assert self.here(flags)["rules"] == kept
        assert not self.here(flags)["killed"]

    def test_a_workspace_that_wants_titles_and_comments_gets_them(self, flags: Any) -> None:
        self.made(flags, "25")
        flags.wants_comments = True
        assert self.do(flags, "rollout", percentage="30").status == "succeeded"
        assert self.do(flags, "off").status == "succeeded"
        told = [one.query for one in flags.changes if one.method == "PATCH"]
        assert [one["title"] for one in told] == ["rollout 30 %", "off"]
        assert {one["comment"] for one in told} == {"By Pilothouse"}

    def test_what_would_not_mean_what_it_says_is_refused(self, flags: Any) -> None:
        self.made(flags, "25")
        for name, value, words in (
            ("trafficAllocation", 50, "Only 50 % of the traffic"),
            ("defaultRule", [{"treatment": "blue", "size": 100}], "more than 'on' and 'off'"),
            ("treatments", [{"name": "v1"}, {"name": "v2"}], "v1, v2"),
        ):
            known, self.here(flags)[name] = self.here(flags)[name], value
            with pytest.raises(RunnerRefused, match=words):
                self.asking.start(self.order(flags, "enable"))
            self.here(flags)[name] = known
        self.here(flags)["defaultTreatment"] = "on"
        with pytest.raises(RunnerRefused, match="default treatment is 'on'"):
            self.asking.start(self.order(flags, "off"))

    def test_treatments_may_have_other_names(self, flags: Any) -> None:
        self.made(flags)
        order = self.order(flags, "enable")
        connection = {**order.connection, "on": "v2", "off": "v1"}
        flags.definitions["new-checkout"] = {
            "killed": True, "defaultTreatment": "v1", "treatments": [{"name": "v1"}, {"name": "v2"}],
            "defaultRule": [{"treatment": "v1", "size": 100}], "trafficAllocation": 100}  # fmt: skip
        outcome = self.asking.look(
            order.__class__(order.key, connection, order.spec, order.secret, order.parameters), "off"
        )
        assert outcome.status == "succeeded"
        assert self.here(flags)["defaultRule"] == [{"treatment": "v2", "size": 100}]


def test_the_shipped_activities_are_taken() -> None:
    documents = load((SHIPPED / "harness-fme.yaml").read_text())
    assert [work_faults("harness_fme", one["automated"], "automated") for one in documents] == [[]] * 5
    wrong = {"connection": "harness-fme", "pipeline": "rollout", "parameters": {"flag": "x", "percentage": "101"}}
    assert [fault.path for fault in work_faults("harness_fme", wrong, "automated")] == [
        "automated.parameters.percentage"
    ]
