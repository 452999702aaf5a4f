"""The provider `goff`: flags in a file of GitHub or GitLab, served by a relay proxy."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from activities.providers import flag_files
from activities.providers.goff import goff_engine
from config.errors import RunnerRefused, RunnerUnavailable
from tests.flag_story import FlagStory
from tests.goff_double import FIRST, GoffDouble

FLOW = '{\n  "cart": {"variations": {"yes": true, "no": false}, "defaultRule": {"variation": "no"}}\n}\n'


class TestGoff(FlagStory):
    engine = goff_engine()
    system = GoffDouble
    known_as = "The file of flags can be read, and the relay proxy is well."

    def test_a_change_is_one_commit_that_says_what_it_is(self, flags: Any) -> None:
        self.made(flags, "25")
        assert [one["message"] for one in flags.commits] == [
            "new-checkout in production: create\n\nBy Pilothouse",
            "new-checkout in production: rollout 25 %\n\nBy Pilothouse",
        ]
        assert flags.text.startswith(FIRST)

    def test_it_is_over_when_the_relay_proxy_serves_it(self, flags: Any) -> None:
        self.made(flags, "25")
        order = self.order(flags, "enable")
        flags.lag = 2
        waiting = [self.asking.look(order, "on 25") for _ in range(3)]
        assert [(one.status, one.look_in) for one in waiting] == [
            ("running", 5.0), ("running", 5.0), ("succeeded", None)]  # fmt: skip
        assert waiting[-1].outputs["previous_percentage"] == "25"
        assert len(flags.commits) == 3

    def test_without_a_relay_proxy_the_commit_is_all_there_is(self, flags: Any) -> None:
        order = self.order(flags, "create")
        settings = {name: value for name, value in order.connection.items() if not name.startswith("relay")}
        order = type(order)(order.key, settings, order.spec, order.secret, order.parameters)
        flags.lag = 5
        assert self.asking.look(order, "absent").status == "succeeded"

    def test_somebody_who_was_faster_is_not_overwritten(self, flags: Any) -> None:
        self.made(flags, "25")
        order = self.order(flags, "enable")
        flags.busy = 1
        with pytest.raises(RunnerUnavailable, match="Somebody else"):
            self.asking.look(order, "on 25")
        assert self.asking.look(order, "on 25").status == "succeeded"

    def test_a_flag_of_others_is_changed_where_it_stands(self, flags: Any) -> None:
        assert self.do(flags, "rollout", flag="cart-v2", percentage="30", stickiness="teamId").status == "succeeded"
        assert flags.text == FIRST.replace("  variations:", '  bucketingKey: "teamId"\n  variations:').replace(
            "defaultRule:\n    variation: no", 'defaultRule: {"percentage": {"yes": 30, "no": 70}}'
        )

    def test_what_is_no_boolean_or_rolls_out_by_itself_is_left_alone(self, flags: Any) -> None:
        for more, words in (
            ("variations: {a: red, b: blue}\n  defaultRule: {variation: a}", "true and false"),
            (
                "variations: {a: true, b: false}\n  defaultRule: {progressiveRollout: {initial: {variation: b}}}",
                "rolls out progressively",
            ),
        ):
            flags.text = f"odd:\n  {more}\n"
            assert words in self.do(flags, "enable", flag="odd").error
            assert flags.commits == []
        flags.text = "- no\n"
        with pytest.raises(RunnerRefused, match="not a mapping"):
            self.asking.start(self.order(flags, "enable"))


class GitLabDouble(GoffDouble):
    host = "gitlab"


class TestGoffOnGitLab(TestGoff):
    system = GitLabDouble


def test_json_stays_json() -> None:
    text = flag_files.with_flag(FLOW, "new", "Try it")
    text = flag_files.with_change(text, "cart", {"disable": True, "defaultRule": {"percentage": {"yes": 5, "no": 95}}})
    found = json.loads(text)
    assert list(found) == ["cart", "new"]
    assert found["cart"]["disable"] is True
    assert found["new"]["metadata"] == {"description": "Try it"}
    assert json.loads(flag_files.with_flag("{}", "new", ""))["new"]["disable"] is True
    assert list(yaml.safe_load(flag_files.with_flag("# nothing yet\n", "new", ""))) == ["new"]


def test_a_flag_that_others_borrow_from_is_not_changed_behind_their_backs() -> None:
    shared = (
        "a: &a\n  variations: {y: true, n: false}\n  defaultRule: {variation: n}\nb:\n  <<: *a\n  disable: true\n"
        "c:\n  variations: {y: true, n: false}\n  defaultRule: {variation: n}\n"
    )
    with pytest.raises(RunnerRefused, match="by hand"):
        flag_files.with_change(shared, "a", {"defaultRule": {"variation": "y"}})
    assert "disable: true\n  variations" in flag_files.with_change(shared, "c", {"disable": True})


def test_comments_behind_a_block_are_kept() -> None:
    text = "a:\n  defaultRule:\n    variation: n  # for now\n  # why\n  variations:\n    y: true\n    n: false\n# end\n"
    changed = flag_files.with_change(text, "a", {"defaultRule": {"variation": "y"}})
    assert changed == text.replace("defaultRule:\n    variation: n", 'defaultRule: {"variation": "y"}')


def test_names_that_look_like_booleans_are_names() -> None:
    flag = flag_files.flags_in("a:\n  variations: {true: true, off: false}\n  defaultRule: {variation: true}\n")["a"]
    assert flag["variations"] == {"true": True, "off": False}
    assert flag_files.standing_of(flag).percentage == 100
    assert flag_files.standing_of({**flag, "defaultRule": {"variation": "off"}}).percentage == 0
    assert flag_files.default_rule(flag, 25) == {"percentage": {"true": 25, "off": 75}}


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        ({"percentage": {"yes": 1, "no": 1}}, 50),
        ({"percentage": {"yes": 10}}, 100),
        ({"percentage": {"yes": 30, "no": 20}, "variation": "no"}, 60),
        ({"percentage": {"yes": 0, "no": 0}}, None),
        ({"percentage": {}, "variation": "yes"}, 100),
        ({"percentage": {"yes": "all", "no": 0}}, None),
        ({"percentage": [25, 75]}, None),
        ({}, None),
        ("yes", None),
    ],
)
def test_percentages_are_parts_of_their_sum(rule: Any, share: float | None) -> None:
    flag = {"variations": {"yes": True, "no": False}, "defaultRule": rule}
    assert flag_files.standing_of(flag).percentage == share


def test_a_share_is_the_same_in_whichever_order_its_parts_stand() -> None:
    variations = {"on": True, "old": True, "off": False}
    sizes = {"on": 57.7, "old": 21.6, "off": 20.7}
    for names in (["on", "old", "off"], ["off", "old", "on"], ["old", "on", "off"]):
        rule = {"percentage": {name: sizes[name] for name in names}}
        assert flag_files.standing_of({"variations": variations, "defaultRule": rule}).percentage == 79.3
