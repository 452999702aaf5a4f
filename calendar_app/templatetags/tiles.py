"""How the calendar draws a release. A page holds hundreds: as templates they would take longer than all the rest, and
`format_html` is slow too, so everything that people wrote goes through `escape` here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString

from calendar_app.drawing import Day
from calendar_app.entries import Entry, Spot
from calendar_app.grid import Bar, Block
from calendar_app.reading import Band
from releases.templatetags.pilothouse import health, icon, state

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
    words = one.words
    said = ", ".join(filter(None, [one.title, words, one.state_words, one.group.name if one.group else ""]))
    how = ' aria-describedby="cal-how"' if one.is_movable else ""
    return SafeString(
        f'<li class="tile {escape(" ".join(kinds))}" data-pk="{one.pk}" data-start="{escape(starts)}"'
        f' data-end="{escape(ends)}" data-edits="{one.edits}"><a class="what" href="{escape(to)}"'
        f' title="{escape(said)}"{how}>{_words(one, words, is_start=bar.is_start)}</a>{_clash(one, to)}</li>'
    )


def _ways(bar: Bar[Spot] | Block[Spot], one: Entry) -> list[tuple[str, bool]]:
    return [("from", bar.is_start), ("to", bar.is_end), ("can-move", one.is_movable)]


@lru_cache(maxsize=4096)
def _peek(pk: int) -> str:
    return reverse("calendar:peek", args=[pk])


@lru_cache(maxsize=256)
def _quoted(address: str) -> str:
    return quote(address, safe="")


def _words(one: Entry, words: str, *, is_start: bool) -> str:
    chip = _chip(one.hue, one.group.short) if one.group else ""
    at = f'<span class="at" aria-hidden="true">{one.starts.hour:02}:{one.starts.minute:02}</span>' if is_start else ""
    return (
        f'{icon(one.mark)}<span class="unseen">{escape(one.state_words)}, </span>{chip}{at}'
        f'<span class="long">{escape(words)}</span> <span class="unseen">{escape(one.title)}</span>'
        f'<bdi class="cut" aria-hidden="true">{escape(one.label)}</bdi>'
    )


@lru_cache(maxsize=1024)
def _chip(hue: str, short: str) -> str:
    return f'<span class="cal-chip {escape(hue)}" aria-hidden="true">{escape(short)}</span>'


@register.simple_tag
def group_choices(groups: Iterable[Band], chosen: Collection[str]) -> SafeString:
    """Return a box to tick for each group; those whose ids are chosen are ticked."""
    return SafeString(
        "".join(
            f'<label class="option"><input type="checkbox" name="group" value="{escape(one.slug)}"'
            f"{' checked' if one.slug in chosen else ''}>{_chip(one.hue, one.short)}"
            f'<bdi class="cut">{escape(one.name)}</bdi></label>'
            for one in groups
        )
    )


def _clash(one: Entry, to: str) -> str:
    if not one.is_clashing:
        return ""
    words = f'{icon("swords")}<span class="unseen">Conflicts of {escape(one.title)}</span>'
    return f'<a class="clash" href="{escape(to)}#conflicts" title="Conflicts">{words}</a>'


@register.simple_tag(takes_context=True)
def date_of(context: dict[str, Any], day: Day, *, short: bool = False) -> SafeString:
    """Return a day's number as a way to its own view, what day off it is, and a way to plan something on it."""
    on, off = day.on, day.off
    total = f", {_counted(day.total)}" if day.total else ""
    weekday = f'<span class="weekday">{on:%a}</span> ' if short else ""
    month = f" {on:%b}" if on.day == 1 else ""
    words = f'<span class="unseen">{escape(day.words)}{total}</span>'
    shown = f'<span aria-hidden="true">{weekday}<b>{on.day}</b>{month}</span>'
    text = f'<a class="date" href="{escape(day.alone)}">{words}{shown}</a>'
    if off:
        title = "; ".join(f"{one.name} ({', '.join(one.calendars)})" for one in off)
        more = f" +{len(off) - 1}" if len(off) > 1 else ""
        text += f'<span class="off cut" title="{escape(title)}">{escape(off[0].name)}{more}</span>'
    text += f'<span class="off cut">{day.change_words}</span>' if day.change_words else ""
    return SafeString(text + (_add(on, str(context["zone"])) if context.get("may_create") else ""))


def _add(on: date, zone: str) -> str:
    to = f"{_to_create()}?start={on.isoformat()}T09:00&amp;zone={_quoted(zone)}"
    words = f'<span class="unseen">New release on {on.day} {on:%B}</span>'
    return f'<a class="add" href="{to}">{icon("plus")}{words}</a>'


@lru_cache(maxsize=1)
def _to_create() -> str:
    return reverse("releases:create")


def _counted(total: int) -> str:
    return f"{total} release{'' if total == 1 else 's'}"


@register.simple_tag(takes_context=True)
def day_of_month(context: dict[str, Any], day: Day) -> SafeString:
    """Return a day of a month: its date, and on a phone a way to choose it, with how much lies on it."""
    marks = {
        "is-today": day.is_today,
        "is-outside": day.is_outside,
        "is-off": day.is_weekend or day.off,
        "is-chosen": day.is_chosen,
        "is-frozen": day.is_frozen,
    }
    kinds = " ".join(["day", *(name for name, holds in marks.items() if holds)])
    current = ' aria-current="date"' if day.is_chosen else ""
    dots = "".join(f'<i class="{hue}"></i>' for hue in day.dots)
    said = f"{escape(day.words)}, {_counted(day.total)}{', frozen' if day.is_frozen else ''}"
    return SafeString(
        f'<li class="{kinds}" data-date="{day.on.isoformat()}"><div class="top">{date_of(context, day)}</div>'
        f'<a class="pick" href="{escape(day.pick)}"{current}><span class="unseen">{said}</span>'
        f'<span aria-hidden="true" class="number">{day.on.day}</span>'
        f'<span class="dots" aria-hidden="true">{dots}</span></a></li>'
    )


@register.simple_tag
def more_of_day(day: Day, number: int) -> SafeString:
    """Return a way to what had no room on a day; nothing if everything had."""
    if not day.hidden:
        return _NOTHING
    words = f'<span class="unseen"> on {day.on.day} {day.on:%B}</span>'
    to = f'<a href="{escape(day.alone)}">+{day.hidden} more{words}</a>'
    return SafeString(f'<li class="t0 u{number} m0 n1">{to}</li>')


@register.simple_tag(takes_context=True)
def line_of(context: dict[str, Any], one: Entry) -> SafeString:
    """Return a release as a line of a list: when, its name and group, its state and what troubles it."""
    to = escape(f"{_peek(one.pk)}?back={_quoted(context['address'])}")
    if one.group:
        about = f"{_chip(one.hue, one.group.short)} <bdi>{escape(one.group.name)}</bdi>"
    else:
        about = f"Ad hoc \N{MIDDLE DOT} <bdi>{escape(one.process)}</bdi>"
    clash = f'<a class="state small is-waiting" href="{to}#conflicts">{icon("swords")}Conflicts</a>'
    stop = f'<span class="state small is-failed">{icon("stop")}Stopped</span>'
    marks = [clash if one.is_clashing else "", stop if one.is_stopped else "", state(one.state, "pill")]
    marks += [health(one.health)] if one.mark != one.state else []
    return SafeString(
        f'<li class="entry is-{one.state} {one.hue}" data-pk="{one.pk}"><span class="span small">{escape(one.words)}'
        f'</span> <span class="what"><a class="strong" href="{to}"><bdi>{escape(one.title)}</bdi></a>'
        f' <span class="soft small">{about}</span></span> <span class="marks">{"".join(marks)}</span></li>'
    )


@register.simple_tag
def loads(weeks: Iterable[tuple[date, int, str]]) -> SafeString:
    """Return how many releases each week has, each number a way to that week."""
    cells = [
        f'<a href="{escape(to)}">{count}<span class="unseen"> in the week of {_date(on)}</span></a>' if count else ""
        for on, count, to in weeks
    ]
    return SafeString("".join(f"<li>{cell}</li>" for cell in cells))


@lru_cache(maxsize=256)
def _date(on: date) -> str:
    return f"{on.day} {on:%B}"
