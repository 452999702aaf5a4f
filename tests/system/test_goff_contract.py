"""The stories of the provider `goff`, told again: every file that is written must mean in GO Feature Flag what it says.

GO Feature Flag itself evaluates the flags of each file, and GitHub's description is held against how it is kept there.
GO Feature Flag's JSON schema of files and the description of its relay proxy are in no package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from activities.providers.flag_files import flags_in, standing_of
from tests.clients import client
from tests.contract import Contract
from tests.flag_double import FlagDouble
from tests.goff_evaluation import Evaluation, evaluation
from tests.pure.test_goff import TestGoff
from tests.system.test_github_contract import contract  # noqa: F401  a fixture

VERSION = "1.3.0"
DIGEST = "4e747a3534ffa0acd0756e4d300a5284439926d0ba443af55f2fd882506d91a9"
WASM = "gofeatureflag_python_provider/wasm/gofeatureflag-evaluation_0.2.4.wasi"
RUNTIME = "50.0.1"
RUNTIMES = (
    "cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4",
    "675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1",
    "ff4fc58ed3cbdb919d056accd4d280be13962a542754aaefd8a9b4654efa9bd9",
)
USERS, NEAR = 1_000, 5.0
YES_NO = {"yes": True, "no": False}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def goff() -> Iterator[Evaluation]:
    """GO Feature Flag's evaluation."""
    module = client("gofeatureflag-python-provider", VERSION, DIGEST) / WASM
    with evaluation(client("wasmtime", RUNTIME, *RUNTIMES), module) as found:
        yield found


def faults_of(goff: Evaluation, flag: dict[str, Any]) -> list[str]:
    """Returns where GO Feature Flag does something else with a flag than we say of it."""
    answers = goff.answers(flag, USERS)
    if wrong := {one["errorCode"] for one in answers if one["errorCode"]}:
        return sorted(wrong)
    standing = standing_of(flag)
    reasons = {one["reason"] for one in answers}
    if not standing.enabled:
        return [] if reasons == {"DISABLED"} else [f"is said to be off, but answers with {reasons}"]
    share = 100 * sum(one["value"] is True for one in answers) / USERS
    if "DISABLED" in reasons:
        return ["is said to be on, but is off"]
    if standing.percentage is None:
        return ["is said to have no percentage"]
    near = NEAR if 0 < standing.percentage < 100 else 0
    is_near = abs(share - standing.percentage) <= near
    return [] if is_near else [f"is said to be true for {standing.percentage:g} %, but is for {share:g} %"]


class TestEvaluated(TestGoff):
    """In the place of the stories' own double: one whose files are evaluated, and whose GitHub is watched."""

    @pytest.fixture
    def flags(self, settings: Any, contract: Contract, goff: Evaluation) -> Iterator[FlagDouble]:  # noqa: F811
        settings.OUTBOUND_ALLOW = ["127.0.0.1"]
        flags = self.system()
        texts: list[str] = []
        take = flags.take

        def kept(body: dict[str, Any], message: str) -> None:
            take(body, message)
            texts.append(flags.text)

        flags.take = kept  # type: ignore[method-assign]
        with contract.kept_by(flags, under="/repos/") as api:
            flags.url, flags.asked = api.url, api.asked
            yield flags
        written = [flag for text in texts for flag in flags_in(text).values()]
        assert [fault for flag in written for fault in faults_of(goff, flag)] == []
        assert len(texts) == len(flags.commits)


del TestGoff  # or it would be told again as it is


@pytest.mark.parametrize(
    "rule",
    [
        {"variation": "yes"},
        {"variation": "no"},
        {"percentage": {"yes": 25, "no": 75}},
        {"percentage": {"yes": 25, "no": 75}, "variation": "yes"},
        {"percentage": {"yes": 1, "no": 1}},
        {"percentage": {"yes": 10}},
        {"percentage": {}, "variation": "yes"},
        {"percentage": {"yes": 60, "no": 40}, "name": "all", "disable": True},
    ],
)
def test_flags_of_others_mean_what_we_say_of_them(goff: Evaluation, rule: dict[str, Any]) -> None:
    flag = {"variations": YES_NO, "defaultRule": rule}
    assert faults_of(goff, flag) == []
    assert faults_of(goff, {**flag, "bucketingKey": "teamId"}) == []
    assert faults_of(goff, {**flag, "disable": True}) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"defaultRule": {"percentage": {"yes": "25", "no": "75"}}}, "PARSE_ERROR"),
        ({"defaultRule": {"percentage": [25, 75]}}, "PARSE_ERROR"),
        ({"defaultRule": {"percentage": {"yes": 0, "no": 0}}}, "FLAG_CONFIG"),
        ({"defaultRule": {}}, "FLAG_CONFIG"),
        ({"defaultRule": {"variation": "no"}, "disable": "yes"}, "PARSE_ERROR"),
        ({"targeting": [{"query": 'targetingKey ew "1"', "variation": "yes"}]}, "true for 0 %, but is for 10 %"),
    ],
)
def test_what_goff_takes_otherwise_is_found(goff: Evaluation, more: dict[str, Any], words: str) -> None:
    flag = {"variations": YES_NO, "defaultRule": {"variation": "no"}}
    assert words in " ".join(faults_of(goff, {**flag, **more}))
    assert faults_of(goff, flag) == []
