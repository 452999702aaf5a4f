"""How the calendar draws a release. A page holds hundreds: as templates they would take longer than all the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
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
    to = f"{reverse('calendar:peek', args=[one.pk])}?back={quote(context['address'], safe='')}"
    starts, ends = one.wall
    return format_html(
        '<li class="tile {}" data-pk="{}" data-start="{}" data-end="{}" data-edits="{}">'
        '<a class="what" href="{}" title="{}"{}>{}</a>{}</li>',
        " ".join(kinds),
        one.pk,
        starts,
        ends,
        one.edits,
        to,
        ", ".join(filter(None, [one.title, one.words, one.state_words, one.group.name if one.group else ""])),
        SafeString(' aria-describedby="cal-how"') if one.is_movable else "",
        _words(one, is_start=bar.is_start),
        _clash(one, to),
    )


def _ways(bar: Bar[Spot] | Block[Spot], one: Entry) -> list[tuple[str, bool]]:
    return [("from", bar.is_start), ("to", bar.is_end), ("can-move", one.is_movable)]


def _words(one: Entry, *, is_start: bool) -> SafeString:
    chip = (
        format_html('<span class="cal-chip {}" aria-hidden="true">{}</span>', one.hue, one.group.short)
        if one.group
        else ""
    )
    at = format_html('<span class="at" aria-hidden="true">{}</span>', f"{one.starts:%H:%M}") if is_start else ""
    return format_html(
        '{}<span class="unseen">{}, </span>{}{}<span class="long">{}</span> '
        '<span class="unseen">{}</span><bdi class="cut" aria-hidden="true">{}</bdi>',
        icon(one.mark),
        one.state_words,
        chip,
        at,
        one.words,
        one.title,
        one.label,
    )


def _clash(one: Entry, to: str) -> SafeString:
    if not one.is_clashing:
        return _NOTHING
    words = '<a class="clash" href="{}#conflicts" title="Conflicts">{}<span class="unseen">Conflicts of {}</span></a>'
    return format_html(words, to, icon("swords"), one.title)


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
