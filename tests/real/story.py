"""What the sample people do, each through the API: connect the engines, add the activities, start, sign."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from processes.document import dump, load
from tests.installed import read
from tests.real.engines import SECRETS, Engines
from tests.system.installation import Installation

PROCESS = "flagged-release"
PATIENCE = 180.0
LOOK_EVERY = 0.4
Say = Callable[[str], None]


class Person:
    """A sample person at the API."""

    def __init__(self, site: Installation, name: str) -> None:
        made = site.command("create_token", name)
        assert made.returncode == 0, made.stderr
        base = f"http://127.0.0.1:{site.port}/api/v1/"
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        self._client = httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False)

    def ask(self, method: str, path: str, body: Any = None, *, text: str = "") -> Any:
        """The answer to a request; one that is refused fails with the problem."""
        kind = {"Content-Type": "application/yaml"} if text else {}
        answer = self._client.request(method, path, headers=kind, **({"content": text} if text else {"json": body}))
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


class Story:
    """The people, and the releases they make."""

    def __init__(self, site: Installation, engines: Engines, say: Say) -> None:
        self.site, self.engines, self.say = site, engines, say
        self.address = f"http://127.0.0.1:{site.port}"
        self.otto, self.dev, self.mara, self.quinn = (Person(site, name) for name in ("otto", "dev", "mara", "quinn"))

    def prepare(self) -> None:
        """Otto connects the engines and tests them, Devika adds what comes ready-made and publishes the process."""
        documents = load(self.engines.documents())
        for name, value in SECRETS.items():
            self.otto.ask("PUT", f"secrets/{name}/", {"value": value})
        connections = [one for one in documents if one["kind"] == "Connection"]
        self.otto.ask("POST", "apply/", text=dump(connections))
        for one in connections:
            told = self.otto.ask("POST", f"connections/{one['id']}/check/")["message"]
            self.say(f"otto has connected {one['name']} at {one['settings']['url']}. {told}")
        for provider in ("unleash", "prometheus"):
            added = self.dev.ask("POST", "store/shipped/", {"provider": provider})["results"]
            self.say(f"dev has added to the store: {', '.join(one['id'] for one in added)}.")
        process = [one for one in documents if one["kind"] == "Process"]
        self.dev.ask("POST", "apply/?publish=true", text=dump(process))
        self.say(f"dev has published the process: {self.address}/processes/{PROCESS}/")

    def start(self, version: str, *, soak: str) -> int:
        """Mara starts a release; its number."""
        body = {"process": PROCESS, "name": "Shop", "version": version}
        number: int = self.mara.ask("POST", "releases/", {**body, "given": {"inputs": _inputs(version, soak)}})["id"]
        self.mara.ask("POST", f"releases/{number}/start/")
        self.say(f"mara has started Shop {version}: {self.address}/releases/{number}/")
        return number

    def trees(self, number: int) -> Iterator[Mapping[str, Any]]:
        """The release's tree, again and again until it is over; fails when it takes too long."""
        until = time.monotonic() + PATIENCE
        while True:
            tree = self.mara.ask("GET", f"releases/{number}/tree/")
            yield tree
            if tree["state"] != "running":
                return
            assert time.monotonic() < until, activities(tree)
            time.sleep(LOOK_EVERY)

    def sign(self, tree: Mapping[str, Any]) -> bool:
        """Quinn signs off what waits for it; whether anything did."""
        run = activities(tree)["sign"]
        if run["state"] != "waiting":
            return False
        body = {"decision": "approved", "comment": "It looks good."}
        self.quinn.ask("POST", f"activity-runs/{run['id']}/sign-off/", body)
        return True

    def play(self, number: int, *, breaks: bool = False, show: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """Follow a release to its end, signed by Quinn; with `breaks` the shop fails while the gate watches.

        Returns the activities at the end, by id.
        """
        found: dict[str, Any] = {}
        for tree in self.trees(number):
            show(tree)
            found = activities(tree)
            if self.sign(tree):
                self.say("         quinn has signed it off")
            self.engines.shop.gauges["shop_errors"] = 9.0 if breaks and found["watch"]["state"] == "running" else 1.0
        self.engines.shop.gauges["shop_errors"] = 1.0
        return found

    def run(self, activity: Mapping[str, Any]) -> Mapping[str, Any]:
        """An activity as the API tells it, with its attempts."""
        found: Mapping[str, Any] = self.mara.ask("GET", f"activity-runs/{activity['id']}/")
        return found

    def share(self, flag: str = "new-checkout") -> str:
        """What applications are told of a flag by Unleash: a percentage, or `off`."""
        found = self.engines.unleash.client_flags().get(flag) or {}
        if not found.get("enabled"):
            return "off"
        return ", ".join(str(one["parameters"]["rollout"]) for one in found["strategies"])

    def builds(self) -> bytes:
        """The builds as Buildbot tells them."""
        return read(f"{self.engines.buildbot}/api/v2/builds?property=version")


def activities(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The activities of a release by their ids; a process that runs no other has each once."""
    return {one["path"].rpartition("/")[2]: one for phase in tree["phases"] for one in phase["activities"]}


def _inputs(version: str, soak: str) -> dict[str, str]:
    return {"version": version, "soak": soak}
