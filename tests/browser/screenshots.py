"""`make screenshots`: draws the pictures in `docs/images` anew, from a sample that it starts, plays and stops itself.

Every picture is taken twice, light and dark. The second release of the sample is answered up to its first sign-offs,
so that there is something to decide.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import MISSING, QUIET, chromium
from tests.system.installation import ROOT, Installation

IMAGES = ROOT / "docs" / "images"
WIDE: Any = {"width": 1280, "height": 800}
TALL: Any = {"width": 1440, "height": 1080}
LOOKS = ("light", "dark")
PASSWORD = "pilothouse"  # as config.sample has it, which needs Django
NOTES = "The new checkout shows the total before it asks for the address."


def main() -> None:
    """Draws them all. Ends with a sentence when there is no browser."""
    if not chromium():
        sys.exit(MISSING)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        installation = Installation(Path(folder) / "state")
        installation.environment["PILOTHOUSE_LOCAL_PROVIDER"] = "true"
        installation.start()
        try:
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            arguments = [*sandbox, *(f"--{name}" for name in QUIET)]
            browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
            _draw_all(browser, f"http://127.0.0.1:{installation.port}")
        finally:
            installation.stop(signal.SIGINT)


def _draw_all(browser: Browser, address: str) -> None:
    with _signed_in(browser, address, "mara", "light") as page:
        over, running = _release(page, "succeeded"), _release(page, "running")
    _answer_until_sign_off(browser, address)
    for look in LOOKS:
        with _signed_in(browser, address, "mara", look) as page:
            _draw(page, "/releases/", f"releases-{look}")
            _draw(page, f"/calendar/?view=month&date={datetime.now(UTC).year}-12-01", f"calendar-{look}")
            _draw(page, f"/releases/{running}/", f"release-{look}")
            _draw(page, f"/releases/{running}/timeline/", f"timeline-{look}")
            _draw(page, f"/releases/{over}/", f"release-succeeded-{look}")
        with _signed_in(browser, address, "quinn", look) as page:
            _draw(page, "/", f"home-{look}")
            run = _api(page, "me/")["waiting"][0]["activity_run"]
            _draw(page, f"/releases/{running}/activities/{run}/", f"sign-off-{look}")
        with _signed_in(browser, address, "admin", look) as page:
            page.set_viewport_size(TALL)
            page.goto("/admin/processes/process/")
            page.get_by_role("link", name="Multi-service release").first.click()
            _draw(page, None, f"admin-process-{look}")


def _release(page: Page, state: str) -> int:
    """Return the id of the sample's release in a state, once there is one."""
    page.wait_for_function(
        f"async () => (await (await fetch('/api/v1/releases/?state={state}')).json()).results.length > 0",
        timeout=60_000,
    )
    return int(_api(page, f"releases/?state={state}")["results"][0]["id"])


def _answer_until_sign_off(browser: Browser, address: str) -> None:
    """Let mara, dev and sam do what the running release asks of them, so that quinn is asked to sign."""
    for name in ("mara", "dev", "sam"):
        with _signed_in(browser, address, name, "light") as page:
            page.wait_for_function(
                "async () => (await (await fetch('/api/v1/me/')).json()).waiting.length > 0", timeout=60_000
            )
            for waiting in _api(page, "me/")["waiting"]:
                _attend(page, waiting)
    with _signed_in(browser, address, "quinn", "light") as page:
        page.wait_for_function("async () => (await (await fetch('/api/v1/me/')).json()).waiting.length > 0")


def _attend(page: Page, waiting: dict[str, Any]) -> None:
    path = f"activity-runs/{waiting['activity_run']}/"
    if "sign-off" in waiting["asks"]:
        _api(page, f"{path}sign-off/", {"decision": "approved", "comment": "Both scans are clean."})
    if "task" in waiting["asks"]:
        mine = {f"group:{name}" for name in _api(page, "me/")["groups"]}
        for task in _api(page, path)["tasks"]:
            if mine & {f"group:{name.removeprefix('group:')}" for name in task["groups"]}:
                _api(page, f"{path}tasks/{task['id']}/done/", {})
    if "form" in waiting["asks"] and _api(page, path)["state"] == "waiting":
        _api(page, f"{path}form/", {"values": {"release_notes": NOTES}})


@contextmanager
def _signed_in(browser: Browser, address: str, name: str, look: Any) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport=WIDE, color_scheme=look, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/sign-in/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")
    yield page
    context.close()


def _api(page: Page, path: str, body: dict[str, Any] | None = None) -> Any:
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url}
    address = f"/api/v1/{path}"
    answer = page.request.get(address) if body is None else page.request.post(address, data=body, headers=headers)
    if not answer.ok:
        raise RuntimeError(f"{address} answered {answer.status}: {answer.text()}")
    return answer.json()


def _draw(page: Page, path: str | None, name: str) -> None:
    answer = page.goto(path) if path is not None else None
    if answer is not None and not answer.ok:
        raise RuntimeError(f"{path} answered {answer.status}")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png")
    sys.stdout.write(f"docs/images/{name}.png\n")


if __name__ == "__main__":
    main()
