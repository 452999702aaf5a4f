"""The three engines, as long as a block lasts, and the shop whose errors Prometheus watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.embedded import ROOT, State
from tests import buildbot_server, prometheus_server, unleash_server
from tests.installed import free_port
from tests.prometheus_server import Service
from tests.unleash_server import Unleash

DOCUMENTS = ROOT / "docs/examples/engines/flagged-release.yaml"
#: The secrets that the connections name.
SECRETS = {"buildbot-password": buildbot_server.PASSWORD, "unleash-token": unleash_server.ADMIN_TOKEN}


@dataclass(frozen=True)
class Engines:
    """Their addresses, and the shop."""

    buildbot: str
    unleash: Unleash
    prometheus: str
    shop: Service

    def documents(self) -> str:
        """The documents of the example, with the connections leading here."""
        text = DOCUMENTS.read_text(encoding="utf-8")
        for port, address in ((8010, self.buildbot), (4242, self.unleash.url), (9090, self.prometheus)):
            text = text.replace(f"http://127.0.0.1:{port}", address)
        return text


def install() -> None:
    """Install what is not there yet. Raises CannotBeHad."""
    buildbot_server.commands()
    prometheus_server.program()
    unleash_server.program()


@contextmanager
def engines(folder: Path, state: State) -> Iterator[Engines]:
    """All of them; Unleash keeps its data in the embedded PostgreSQL of `state`, which must run. Raises CannotBeHad."""
    with (
        prometheus_server.serving() as shop,
        buildbot_server.buildbot(folder) as buildbot,
        prometheus_server.running(folder / "prometheus", free_port(), shop.port) as prometheus,
        unleash_server.unleash(state) as unleash,
    ):
        yield Engines(buildbot, unleash, prometheus, shop)
