"""A real Prometheus on this machine, and a little service whose metrics it scrapes.

Debian's package is unpacked into a folder once; nothing is installed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.installed import CannotBeHad, installed, read, run
from tests.installed import serving as server_in

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


def program() -> Path:
    """The path of the program. Raises CannotBeHad."""
    on_path = shutil.which("prometheus")
    return Path(on_path) if on_path else installed("prometheus", _unpack) / "usr/bin/prometheus"


def _unpack(place: Path) -> None:
    try:
        run("apt-get", "download", "prometheus", cwd=place)
    except CannotBeHad:
        run("apt-get", "update", "-qq")
        run("apt-get", "download", "prometheus", cwd=place)
    package = next(place.glob("prometheus_*.deb"))
    run("dpkg", "-x", package, place)
    package.unlink()


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
    command = [str(path), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=5s"]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with server_in(command, cwd=folder, told=folder / "said") as wait:
        wait(lambda: b'"value":' in read(f"{address}/api/v1/query?query=up==1"))
        yield address
