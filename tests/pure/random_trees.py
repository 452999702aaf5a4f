"""Random releases: what they look like, and what happens in them. Everything hangs on one seed."""

from __future__ import annotations

from random import Random
from typing import Any

from releases.tree import Key
from tests.pure.simulator import Opening, Simulator
from tests.pure.trees import Drawing, Part

DEEPEST = 2


def random_drawing(rng: Random, *, fail_fast: bool) -> Drawing:
    """Return a release of up to five phases with nested subprocesses and `for_each`."""
    return Drawing(_phases(rng, rng.randint(1, 5), 0, fail_fast), fail_fast=fail_fast and rng.random() < 0.7)


def _phases(rng: Random, count: int, depth: int, fail_fast: bool) -> list[Part]:
    phases: list[Part] = []
    known: list[str] = []
    for number in range(count):
        part = Part("phase", f"p{number}", **_dependence(rng, [phase.id for phase in phases]))
        part.inside, known = _activities(rng, part.id, known, depth, fail_fast)
        phases.append(part)
    return phases


def _activities(
    rng: Random, phase: str, earlier: list[str], depth: int, fail_fast: bool
) -> tuple[list[Part], list[str]]:
    """Return the activities of a phase, and what later ones may need."""
    activities: list[Part] = []
    for number in range(rng.randint(0 if depth else 1, 4 - depth)):
        near, far = [activity.id for activity in activities], rng.sample(earlier, min(len(earlier), 2))
        activities.append(_activity(rng, f"a{number}", _dependence(rng, near + far), depth, fail_fast))
    return activities, earlier + [f"{phase}.{activity.id}" for activity in activities]


def _dependence(rng: Random, names: list[str]) -> dict[str, Any]:
    needs = rng.sample(names, min(len(names), rng.choice([0, 0, 1, 1, 2])))
    return {
        "needs": " ".join(needs),
        "any": len(needs) > 1 and rng.random() < 0.4,
        "after_settled": bool(needs) and rng.random() < 0.15,
    }


def _activity(rng: Random, name: str, options: dict[str, Any], depth: int, fail_fast: bool) -> Part:
    options["required"] = rng.random() > 0.2
    chance = rng.random()
    if chance < 0.15 and depth < DEEPEST:
        parallel, items = rng.choice([None, 1, 2]), rng.randint(0, 3)
        template = _body(rng, name, depth + 1, fail_fast, subprocess=rng.random() < 0.4)
        spec = {"items": items, "parallel": parallel}
        return Part("for_each", name, [template], on_failure=_container_policy(rng), spec=spec, **options)
    part = _body(rng, name, depth, fail_fast, subprocess=chance < 0.3 and depth < DEEPEST)
    for option, value in options.items():
        setattr(part, option, value)
    return part


def _body(rng: Random, name: str, depth: int, fail_fast: bool, *, subprocess: bool) -> Part:
    if subprocess:
        inside = _phases(rng, rng.randint(1, 2), depth + 1, fail_fast)
        fast = fail_fast and rng.random() < 0.3
        return Part("subprocess", name, inside, on_failure=_container_policy(rng), fail_fast=fast)
    kind = rng.choices(["automated", "manual", "signal", "wait"], [6, 2, 1, 1])[0]
    policy = rng.choices(["hold", "ignore", "fail"], [4, 1, 3])[0]
    return Part(kind, name, on_failure=policy, attempts=rng.choice([1, 1, 2, 3]))


def _container_policy(rng: Random) -> str:
    return rng.choices(["fail", "hold", "ignore"], [6, 2, 1])[0]


class Crowd:
    """Workers and people who do something to a release, one thing at a time; they tire of retrying and restarting."""

    def __init__(self, rng: Random, *, aborts: bool, restarts: bool, pauses: bool, loses: bool) -> None:
        self.rng, self.aborts, self.pauses, self.loses = rng, aborts, pauses, loses
        self.patience, self.restarts = 6, 3 if restarts else 0
        self.clumsiness = rng.choice([0.05, 0.2, 0.4])

    def opening(self, key: Key) -> Opening:
        """Draw what comes of a run's condition and inputs."""
        chance = self.rng.random()
        items = self.rng.choice([None, 0, 2]) if chance > 0.8 else None
        return Opening(when=chance > 0.06, fails=0.06 < chance < 0.09, items=items)

    def act(self, sim: Simulator) -> None:
        """Do one thing; what follows from it may be lost on the way, and is made up for later."""
        sim.delivers = not self.loses or self.rng.random() > 0.3
        chance = self.rng.random()
        active = sorted(sim.active())
        if self.aborts and chance < 0.06:
            sim.abort()
        elif self.restarts and chance < 0.2:
            self._restart(sim)
        elif sim.state == "paused" and (chance < 0.3 or not active):
            sim.delivers = True
            sim.resume()
        elif self.pauses and sim.state == "running" and chance < 0.15:
            sim.pause()
        elif active:
            self._work_on(sim, self.rng.choice(active))

    def _restart(self, sim: Simulator) -> None:
        begun = [key for key, run in sim.runs.items() if sim.tree[key].is_phase and run.state != "pending"]
        failed = [key for key in begun if sim.runs[key].state == "failed"]
        begun = failed if failed and self.rng.random() < 0.8 else begun
        if begun and not sim.restart(self.rng.choice(begun)):
            self.restarts -= 1

    def _work_on(self, sim: Simulator, key: Key) -> None:
        state = sim.runs[key].state
        if state == "on_hold":
            self._decide(sim, key)
        elif state == "queued" and self.rng.random() < 0.5:
            sim.claim(key)
        elif self.rng.random() < self.clumsiness:
            sim.fail(key)
        else:
            sim.succeed(key)

    def _decide(self, sim: Simulator, key: Key) -> None:
        if self.patience and self.rng.random() < 0.4:
            self.patience -= 1
            sim.retry(key)
        elif self.rng.random() < 0.5:
            sim.ignore(key)
        else:
            sim.give_up(key)
