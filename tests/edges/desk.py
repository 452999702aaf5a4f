"""Using the admin as one person: opening pages, filling the forms they show, saving them, reading what they say."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

Typed = dict[str, Any]


class _Form(HTMLParser):
    """What a browser would send of the page's main form: the one with the most fields. Empty rows are left out."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.forms: list[Typed] = []
        self.select: tuple[str, bool] | None = None
        self.area = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif not self.forms or "__prefix__" in name:
            return
        elif tag == "input" and name and given.get("type") not in ("submit", "button", "image"):
            is_box = given.get("type") in ("checkbox", "radio")
            if not is_box or "checked" in given:
                self._put(name, given.get("value", "on" if is_box else ""), is_box=is_box)
        elif tag == "textarea" and name:
            self.area = name
            self.forms[-1][name] = ""
        elif tag == "select" and name:
            self.select = (name, "multiple" in given)
            self.forms[-1].setdefault(name, [] if "multiple" in given else "")
        elif tag == "option" and self.select and "selected" in given:
            name, is_multiple = self.select
            self.forms[-1][name] = [*self.forms[-1][name], given["value"]] if is_multiple else given["value"]

    def _put(self, name: str, value: str, *, is_box: bool) -> None:
        """Boxes of one name that are ticked are sent each."""
        before = self.forms[-1].get(name)
        if is_box and before is not None:
            value = [*(before if isinstance(before, list) else [before]), value]  # type: ignore[assignment]
        self.forms[-1][name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.area = ""
        elif tag == "select":
            self.select = None

    def handle_data(self, data: str) -> None:
        if self.area:
            self.forms[-1][self.area] += data.removeprefix("\n")


class Desk:
    """One person in the admin. `form` is what the open page's form would send, `text` the page without its tags."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)
        self.source, self.status, self.address = "", 0, ""

    def open(self, address: str, *args: Any) -> Desk:
        """Open an address, or a page by its name: `processes_process_change`."""
        self.address = address if address.startswith("/") else reverse(f"admin:{address}", args=args)
        return self._read(self.client.get(self.address))

    def save(self, **changes: Any) -> Desk:
        """Send the open page's form with these changes (names with `__` stand for `-`), and follow where it leads."""
        sent = {**self.form, **{name.replace("__", "-"): value for name, value in changes.items()}}
        return self.send({name: value for name, value in sent.items() if value is not None})

    def send(self, data: Typed) -> Desk:
        """Post to the open address, and follow where it leads; `sent_to` keeps the first answer's status."""
        answer = self.client.post(self.address, data)
        self.first_status = answer.status_code
        self._read(answer)
        if answer.status_code == 302:
            self.open(answer.headers["Location"])
        return self

    @property
    def form(self) -> Typed:
        """What the form would send now."""
        return max(_Form(self.source).forms, key=len, default={})

    @property
    def text(self) -> str:
        """The page's words."""
        return _words(self.source)

    def faults(self, field: str) -> str:
        """What is told beside a field, as words."""
        rows = re.split(r'<div class="(?=[^"]*\bfield-line\b)', self.source)
        row = next((row for row in rows[1:] if f"field-{field}" in row.partition('"')[0].split()), "")
        return _words(row.partition('class="errorlist"')[2].partition("</ul>")[0])

    def _read(self, answer: Any) -> Desk:
        raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.source, self.status, self.headers = raw.decode(), answer.status_code, answer.headers
        return self


def _words(source: str) -> str:
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", source, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def staff(person: User, *permissions: str) -> User:
    """Let the person into the admin, with these permissions ("processes.view_process") model-wide."""
    person.is_staff = True
    person.save()
    for name in permissions:
        app, _, codename = name.partition(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return User.objects.get(pk=person.pk)
