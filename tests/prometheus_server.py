"""A real Prometheus on this machine, and a little service whose metrics it scrapes.

Debian's package is unpacked into the state folder once; nothing is installed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from config.embedded import state

PATIENCE = 60.0
CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


class CannotBeHad(Exception):
    """There is no Prometheus here, and none can be fetched."""


def program() -> Path:
    """The path of the program. Raises CannotBeHad."""
    installed = shutil.which("prometheus")
    if installed is not None:
        return Path(installed)
    place = state().path / "prometheus"
    found = place / "usr/bin/prometheus"
    if not found.exists():
        place.mkdir(parents=True, exist_ok=True)
        try:
            fetch = ["apt-get", "download", "prometheus"]
            subprocess.run(fetch, cwd=place, check=True, capture_output=True, timeout=300)
            package = next(place.glob("prometheus_*.deb"))
            subprocess.run(["dpkg", "-x", package, place], check=True, capture_output=True, timeout=120)
            package.unlink()
        except (subprocess.SubprocessError, OSError, StopIteration) as error:
            raise CannotBeHad(str(error)) from error
    return found


class Service:
    """A service that says how it is: each of `gauges` is a metric by its name, labels included."""

    def __init__(self) -> None:
        self.gauges: dict[str, float] = {"shop_errors": 0.0}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f"{name} {value}\n" for name, value in service.gauges.items()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving() -> Iterator[Service]:
    """A service, as long as the block lasts."""
    service = Service()
    try:
        yield service
    finally:
        service.close()


@contextmanager
def running(folder: Path, port: int, scraped: int) -> Iterator[str]:
    """A Prometheus that scrapes a port of this machine each second; its address. Raises CannotBeHad."""
    path = program()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(port=scraped))
    told = folder / "said"
    command = [str(path), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=5s"]  # fmt: skip
    with told.open("wb") as said:
        server = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: b'"value":' in read(f"{address}/api/v1/query?query=up==1"), told)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def read(url: str) -> bytes:
    """What an address answers, nothing if it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def wait_for(holds: Callable[[], bool], told: Path) -> None:
    """Wait until something holds; say what the server has said if it never does."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, told.read_text()[-2_000:]
        time.sleep(0.2)
