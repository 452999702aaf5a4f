"""Pages as people open them: signed in, on their screens, and fit for everybody or not."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

#: (look, width in pixels). Every time, the first and the last share the pages; `make screens` looks at all on each.
SCREENS = (("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360))


def sign_in(page: Page, live_server: LiveServer, name: str) -> None:
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()


def look_at(page: Page, address: str) -> list[str]:
    """Open a page; return what is wrong with it."""
    page.goto(address)
    return look(page)


def look(page: Page) -> list[str]:
    """Return what is wrong with a page as it stands: all that axe finds, and by how much it is too wide."""
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    found = [f"{page.url} {one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, f"{page.url} is wider than the screen by {wider}"] if wider > 0 else found
