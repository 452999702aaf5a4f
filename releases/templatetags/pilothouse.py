"""How pages show states, moments, lengths of time and values."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.apps import apps
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.models import Event
from releases import assignees, prose
from releases.cadence import Bend
from releases.models import Notice
from releases.progress import Progress
from releases.reading.titles import Titles

register = template.Library()

_HEALTH = {"ok": "On track", "waiting": "Needs input", "on_hold": "On hold", "failing": "Failing"}
_SOURCES = {
    "start": "given at start",
    "release": "given on the release",
    "with": "set in the process",
    "retry": "changed for a retry",
}
_ASKS = {
    "decision": ("on_hold", "Failed: decide what happens"),
    "sign-off": ("sign", "Sign off"),
    "task": ("task", "Do a task"),
    "form": ("form", "Fill in a form"),
    "evidence": ("file", "Add evidence"),
    "done": ("check", "Say when it is done"),
    "exception": ("frozen", "Grant or refuse an exception"),
}
_LINKS = {
    "dependency": "pending",
    "phase": "pending",
    "container": "pending",
    "dependency_failed": "on_hold",
    "on_hold": "on_hold",
    "paused": "paused",
    "running": "running",
    "queued": "queued",
    "opening": "queued",
    "retry": "retry",
    "sign_off": "sign",
    "task": "task",
    "form": "form",
    "evidence": "file",
    "done": "check",
    "signal": "signal",
    "wait": "wait",
    "opens": "scheduled",
    "planned_start": "scheduled",
    "next_try": "scheduled",
    "role_unfilled": "people",
    "draft": "draft",
    "missed": "missed",
    "cancelled": "cancelled",
    "no_auto_start": "people",
    "freeze": "frozen",
    "frozen": "frozen",
}
_BENDS = {
    "gap": ("missed", "Clocks go forward"),
    "fold": ("missed", "Clocks go back"),
    "holiday": ("scheduled", "Holiday"),
    "extra": ("plus", "Extra date"),
    "derived": ("link", "Derived"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """Return an icon that screen readers pass over; the word stands beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("pilothouse/icons.svg"), name
    )


@register.simple_tag(takes_context=True)
def unread(context: dict[str, Any]) -> int:
    """Return how many notices the reader has not read. One query a request."""
    request = context["request"]
    if not hasattr(request, "unread"):
        request.unread = Notice.objects.filter(user=request.user.pk, read_at=None).count()
    return int(request.unread)


@register.filter
def of(found: Mapping[Any, Any], key: object) -> Any:
    """Return what a mapping holds under a key; None if it holds nothing there."""
    return found.get(key)


@register.filter
def words(name: object) -> str:
    """Return a state, kind or verb in words: `on_hold` becomes `On hold`."""
    return str(name).replace("_", " ").replace(".", " ").capitalize()


@register.simple_tag
@lru_cache(maxsize=256)
def state(name: str, look: str = "") -> SafeString:
    """Return a state as icon and word; `look` is `pill`, `mark` (the word for screen readers only) or empty."""
    word = format_html('<span class="{}">{}</span>', "unseen" if look == "mark" else "", words(name))
    return format_html('<span class="state is-{} {}">{}{}</span>', name, look, icon(name), word)


@register.simple_tag
@lru_cache(maxsize=16)
def health(name: str) -> SafeString:
    """Return the health of a release under way as icon and word, nothing for others."""
    if not name:
        return SafeString("")
    return format_html('<span class="state pill is-{}">{}{}</span>', name, icon(name), _HEALTH.get(name, name))


@register.simple_tag
def bar(progress: Progress) -> SafeString:
    """Return how far something has come as a bar of coloured parts."""
    parts = "".join(
        f'<rect class="{name}" x="{begin}" width="{width}" height="6"/>' for name, begin, width in progress.parts
    )
    return SafeString(
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{parts}</svg>'
    )


@register.simple_tag
def stopped_by(findings: Sequence[Mapping[str, Any]]) -> SafeString:
    """Return how many things would stop a release, as icon and words; nothing when nothing would."""
    count = sum(1 for finding in findings if finding["stops"])
    if not count:
        return SafeString("")
    text = "1 thing stops it" if count == 1 else f"{count} things stop it"
    return format_html('<span class="state small is-failed">{}{}</span>', icon("stop"), text)


@register.simple_tag
def asks(name: str) -> SafeString:
    """Return what is asked of somebody, as icon and words."""
    picture, text = _ASKS.get(name, ("waiting", name))
    return SafeString(f'<span class="tag">{icon(picture)}{escape(text)}</span>')


@register.simple_tag
def link_mark(kind: str) -> SafeString:
    """Return the icon of what something waits for (a link's kind)."""
    return icon(_LINKS.get(kind, "waiting"))


@register.simple_tag
def moment(at: datetime | None, look: str = "") -> SafeString:
    """Return a moment in the reader's zone, named; the same in UTC when pointed at. `look`: `time` leaves out today."""
    if at is None:
        return SafeString("")
    local = timezone.localtime(at)
    today = timezone.localtime().date()
    time_of_day = f"{local.hour:02}:{local.minute:02}"
    if look == "time" and local.date() == today:
        text = f"{time_of_day}:{local.second:02} {local.tzname()}"
    else:
        year = "" if local.year == today.year else f" {local.year}"
        text = f"{local.day} {_MONTHS[local.month - 1]}{year}, {time_of_day} {local.tzname()}"
    return _time(at, text)


@register.simple_tag
def soon(at: datetime | None) -> SafeString:
    """Return a moment of the days around as people say it (`14:20 CET, Thu`), any other like `moment`."""
    if at is None:
        return SafeString("")
    local, today = timezone.localtime(at), timezone.localtime().date()
    if abs((local.date() - today).days) > 6:
        return moment(at)
    return _time(at, f"{local:%H:%M %Z, %a}")


def _time(at: datetime, text: str) -> SafeString:
    in_utc = f"{at.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(' ')} UTC"
    return SafeString(f'<time datetime="{at.isoformat()}" title="{in_utc}">{escape(text)}</time>')


@register.simple_tag
def clock(at: datetime | None) -> SafeString:
    """Return a moment's time of day in the reader's zone, for lists by day."""
    if at is None:
        return SafeString("")
    local = timezone.localtime(at)
    words = '<time datetime="{}">{} <span class="faint">{}</span></time>'
    return format_html(words, at.isoformat(), f"{local:%H:%M}", f"{local:%Z}")


@register.simple_tag
def stretch(start: datetime | None, end: datetime | None = None, zone: str = "") -> SafeString:
    """Return from when to when something is planned, with its weekdays, in a zone or in the reader's own."""
    if start is None:
        return SafeString("")
    clock = ZoneInfo(zone) if zone else timezone.get_current_timezone()
    begins, this_year = start.astimezone(clock), timezone.localtime().year
    text = f"{_day(begins, this_year)}, {begins:%H:%M}"
    if end is not None and end != start:
        ends = end.astimezone(clock)
        day = "" if ends.date() == begins.date() else f"{_day(ends, begins.year)}, "
        text += f" \N{EN DASH} {day}{ends:%H:%M}"
    words = '<time datetime="{}">{} <span class="faint">{}</span></time>'
    return format_html(words, start.isoformat(), text, f"{begins:%Z}")


def _day(moment: datetime, year: int) -> str:
    return f"{moment:%a} {moment.day} {moment:%b}{'' if moment.year == year else f' {moment.year}'}"


@register.simple_tag
def bend(one: Bend) -> SafeString:
    """Return where a date is not just what its rule says, as icon and words."""
    picture, text = _BENDS.get(one.kind, ("comment", one.kind.capitalize()))
    return format_html('<span class="bend">{}<span><b>{}.</b> {}</span></span>', icon(picture), text, one.words)


@register.simple_tag
def due(at: datetime | None, overdue: object = None) -> SafeString:
    """Return when something is due, marked if it is overdue; nothing if it is due at no time."""
    if at is None:
        return SafeString("")
    if overdue:
        return format_html('<span class="due is-late">{}Overdue since {}</span>', icon("missed"), moment(at))
    return format_html('<span class="due">Due {}</span>', moment(at))


@register.simple_tag
def took(start: datetime | None, end: datetime | None = None) -> SafeString:
    """Return how long something took, or takes so far: then it goes on counting while the page is open (live.js)."""
    if start is None:
        return SafeString("")
    seconds = ((end or timezone.now()) - start).total_seconds()
    if end is not None:
        return SafeString(duration(seconds))
    return SafeString(f'<span data-running="{max(0, round(seconds))}">{duration(seconds)}</span>')


@register.filter
def duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units: `1h 5m`, `12s`."""
    if seconds is None:
        return ""
    rest = max(0, round(seconds))
    for index, (size, unit) in enumerate(_UNITS):
        if rest >= size:
            text = f"{rest // size}{unit}"
            if index + 1 < len(_UNITS):
                smaller, name = _UNITS[index + 1]
                text += f" {rest % size // smaller}{name}" if rest % size >= smaller else ""
            return text
    return "0s"


@register.simple_tag
def value(shown: Any) -> SafeString:
    """Return an input's or output's value; a secret only by its name."""
    if shown is None:
        return format_html('<span class="faint">{}</span>', "not set")
    if isinstance(shown, Mapping) and set(shown) == {"secret"}:
        return format_html('<span class="value secret">{}<span>secret {}</span></span>', icon("key"), shown["secret"])
    kind = "expression" if isinstance(shown, str) and "${{" in shown else ""
    return format_html('<span class="value {}">{}</span>', kind, as_text(shown))


@register.filter
def as_text(shown: Any) -> str:
    """Return a text as it is, any other value as JSON: on lines of its own if it is long."""
    if isinstance(shown, str):
        return shown
    return json.dumps(shown, ensure_ascii=False, indent=2 if _is_deep(shown) else None, default=str)


def _is_deep(shown: Any) -> bool:
    inner = list(shown.values()) if isinstance(shown, Mapping) else shown if isinstance(shown, list) else []
    return any(isinstance(item, list | Mapping) for item in inner) or len(json.dumps(shown)) > 80


@register.simple_tag
def source(name: str) -> SafeString:
    """Return where a value came from, in words; of a value that is not set, nothing."""
    if name == "unset":
        return SafeString()
    return format_html('<span class="source is-{}">{}</span>', name.replace(" ", "-"), _SOURCES.get(name, name))


@register.filter
def who(name: str) -> str:
    """Return an owner's or assignee's name as people say it: `group:qa` is qa, `role:lead` the role lead."""
    kind, rest = assignees.split(name)
    return f"role {rest}" if kind == "role" else rest


@register.filter
def thing(name: str) -> str:
    """Return what an event is about in words: `activityrun` is an activity run."""
    return _things().get(name, name)


@cache
def _things() -> dict[str, str]:
    return {table._meta.model_name or "": str(table._meta.verbose_name) for table in apps.get_models()}


@register.filter
def as_prose(text: str) -> SafeString:
    """Return Markdown as harmless HTML."""
    return prose.to_html(text)


@register.simple_tag
def once() -> SafeString:
    """Return the hidden mark by which a form that is sent twice is recognised."""
    return SafeString(f'<input type="hidden" name="once" value="{uuid.uuid4().hex}">')


@register.filter
def details(event: Event) -> list[tuple[str, Any]]:
    """Return what an event tells beyond its sentence: before and after, without a state that the verb says already."""
    shown = []
    for name, facts in (("before", event.before), ("after", event.after)):
        told_more = {key: fact for key, fact in facts.items() if key != "state"} if isinstance(facts, dict) else facts
        if told_more:
            shown.append((name, told_more))
    return shown


@register.filter
def told(event: Event, titles: Titles | None = None) -> SafeString:
    """Return an event as a sentence; one that `titles` has a name for by that name, its path behind it as a detail."""
    about, _, happened = (part.replace("_", " ") for part in event.verb.partition("."))
    if about == "release":
        return format_html("Release {}", happened)
    title = (titles or {}).get((event.subject_type, event.subject_id))
    subject = format_html("<b><bdi>{}</bdi></b>" if title else "<b>{}</b>", title or event.subject_name)
    path = format_html(' <span class="path small faint">{}</span>', event.subject_name) if title else ""
    if about in ("phase", "activity"):
        return format_html("{}{} {}{}", "Phase " if about == "phase" else "", subject, happened, path)
    return format_html("{}: {} {}{}", subject, about, happened, path)
