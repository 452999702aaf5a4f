"""A real Chromium for the browser tests: the machine's own, never a downloaded one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.looks import SCREENS

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET = ("disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update")
MISSING = "Chromium is not on this machine: install the package chromium, or set CHROMIUM to its path."


def chromium() -> str | None:
    """The path of the machine's Chromium."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Chromium a browser test is skipped with a reason that the summary repeats; with CI set it fails."""
    if item.path.parent.name != "browser" or chromium():
        return
    if os.environ.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says in red that the browser tests did not run."""
    if not chromium():
        terminalreporter.write_sep("=", f"THE BROWSER TESTS DID NOT RUN. {MISSING}", red=True, bold=True)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Playwright's own arguments, with the machine's Chromium; root needs it without its sandbox."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": chromium(),
        "args": [*sandbox, *(f"--{name}" for name in QUIET)],
    }


def _share(part: int, look: str, width: int) -> Any:
    return pytest.param((look, width, slice(part, None, 2)), id=f"{look}-{width}")


def _all(look: str, width: int) -> Any:
    return pytest.param((look, width, slice(None)), id=f"{look}-{width}-all", marks=pytest.mark.long)


@pytest.fixture(params=[_share(0, *SCREENS[0]), _share(1, *SCREENS[-1]), *(_all(*one) for one in SCREENS)])
def screen(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page on a screen of each look and width."""
    look, width, _ = request.param
    context = browser.new_context(color_scheme=look, viewport={"width": width, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def share(request: pytest.FixtureRequest, screen: Page) -> slice:
    """Which of some pages this screen looks at."""
    found: slice = request.node.callspec.params["screen"][2]
    return found


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains about; every test fails on any."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield found
    assert found == []


@pytest.fixture(autouse=True)
def no_page_stays_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Closes what a test has opened: pages that stay open go on asking a server that has gone."""
    yield
    if "browser" in request.fixturenames:
        for context in request.getfixturevalue("browser").contexts:
            context.close()
