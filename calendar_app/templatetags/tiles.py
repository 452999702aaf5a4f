"""How the calendar draws a release. A page holds hundreds: as templates they would take longer than all the rest, and
`format_html` is slow too, so everything that people wrote goes through `escape` here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from calendar_app.entries import Entry, Spot
from calendar_app.grid import Bar, Block
from releases.templatetags.pilothouse import icon

register = template.Library()
_NOTHING = SafeString("")


@register.simple_tag(takes_context=True)
def tile(context: dict[str, Any], bar: Bar[Spot] | Block[Spot]) -> SafeString:
    """Return a release where it stands: state, group, time, name, and a way to what it conflicts with."""
    one = bar.item.entry
    if one is None:
        return _NOTHING
    kinds = [one.hue, bar.place, f"is-{one.mark}"]
    kinds += [name for name, holds in _ways(bar, one) if holds]
    to = f"{_peek(one.pk)}?back={_quoted(context['address'])}"
    starts, ends = one.wall
    said = ", ".join(filter(None, [one.title, one.words, one.state_words, one.group.name if one.group else ""]))
    how = ' aria-describedby="cal-how"' if one.is_movable else ""
    return SafeString(
        f'<li class="tile {escape(" ".join(kinds))}" data-pk="{one.pk}" data-start="{escape(starts)}"'
        f' data-end="{escape(ends)}" data-edits="{one.edits}"><a class="what" href="{escape(to)}"'
        f' title="{escape(said)}"{how}>{_words(one, is_start=bar.is_start)}</a>{_clash(one, to)}</li>'
    )


def _ways(bar: Bar[Spot] | Block[Spot], one: Entry) -> list[tuple[str, bool]]:
    return [("from", bar.is_start), ("to", bar.is_end), ("can-move", one.is_movable)]


@lru_cache(maxsize=4096)
def _peek(pk: int) -> str:
    return reverse("calendar:peek", args=[pk])


@lru_cache(maxsize=256)
def _quoted(address: str) -> str:
    return quote(address, safe="")


def _words(one: Entry, *, is_start: bool) -> str:
    chip = _chip(one.hue, one.group.short) if one.group else ""
    at = f'<span class="at" aria-hidden="true">{one.starts:%H:%M}</span>' if is_start else ""
    return (
        f'{icon(one.mark)}<span class="unseen">{escape(one.state_words)}, </span>{chip}{at}'
        f'<span class="long">{escape(one.words)}</span> <span class="unseen">{escape(one.title)}</span>'
        f'<bdi class="cut" aria-hidden="true">{escape(one.label)}</bdi>'
    )


@lru_cache(maxsize=1024)
def _chip(hue: str, short: str) -> str:
    return f'<span class="cal-chip {escape(hue)}" aria-hidden="true">{escape(short)}</span>'


def _clash(one: Entry, to: str) -> str:
    if not one.is_clashing:
        return ""
    words = f'{icon("swords")}<span class="unseen">Conflicts of {escape(one.title)}</span>'
    return f'<a class="clash" href="{escape(to)}#conflicts" title="Conflicts">{words}</a>'


@register.simple_tag
def loads(weeks: Iterable[tuple[date, int, str]]) -> SafeString:
    """Return how many releases each week has, each number a way to that week."""
    cells = [
        format_html('<a href="{}">{}<span class="unseen"> in the week of {}</span></a>', to, count, f"{on.day} {on:%B}")
        if count
        else _NOTHING
        for on, count, to in weeks
    ]
    return format_html_join("", "<li>{}</li>", ((cell,) for cell in cells))
