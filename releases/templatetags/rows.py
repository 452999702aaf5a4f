"""How lists draw a release. A page holds dozens: as templates they would take longer than all the rest, and
`format_html` is slow too, so everything that people wrote goes through `escape` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString

from releases.models import Release
from releases.progress import Progress
from releases.templatetags.pilothouse import bar, health, moment, state, stopped_by, took

register = template.Library()


@lru_cache(maxsize=4096)
def to_release(pk: int) -> str:
    """Return the address of a release."""
    return reverse("releases:show", args=[pk])


@register.simple_tag
def release_row(release: Release, progress: Progress, verb: str = "", picking: object = None) -> SafeString:
    """Return a release as a row of a table; with `picking` it begins with a box, where `verb` says what that is for."""
    cells: Iterable[Callable[[Release], str]] = (_planned, _started, _finished)
    return SafeString(
        f'<tr id="release-{release.pk}">{_pick(release, verb) if picking else ""}{_name(release)}'
        f'<td class="how">{state(release.state, "pill")}{_health(release)}</td>'
        f'<td class="far">{_far(release, progress)}</td>{"".join(cell(release) for cell in cells)}</tr>'
    )


def _pick(release: Release, verb: str) -> str:
    if not verb:
        return '<td class="pick"></td>'
    return (
        f'<td class="pick"><input type="checkbox" name="release" value="{release.pk}" form="bulk" data-verb="{verb}"'
        f' aria-label="Choose {escape(str(release))}"></td>'
    )


def _name(release: Release) -> str:
    name = escape(release.name)
    version = f' <span class="version">{escape(release.version)}</span>' if release.version else ""
    revision = f" @{release.revision.number}" if release.revision else ""
    group = f"<bdi>{escape(release.group.name)}</bdi>" if release.group else "ad hoc"
    return (
        f'<th scope="row" class="name"><span class="named"><a href="{to_release(release.pk)}" class="strong lines-2"'
        f' dir="auto" title="{name}">{name}</a>{version}</span><span class="soft small cut block">'
        f"{escape(release.process.name)}{revision} \N{MIDDLE DOT} {group}</span></th>"
    )


def _health(release: Release) -> str:
    found = getattr(release, "health", "")
    return f" {health(found)}" if found and found != "ok" else ""


def _far(release: Release, progress: Progress) -> str:
    if progress.total:
        words = f'{progress.settled} of {progress.total}<span class="unseen"> activities done</span>'
        return f'<div>{bar(progress)}<span class="small faint">{words}</span></div>'
    stopped = stopped_by(release.findings) if release.state == "scheduled" else ""
    return stopped or '<span class="small faint">not started</span>'


def _planned(release: Release) -> str:
    return f'<td class="at small" data-label="Planned">{moment(release.planned_start_at)}</td>'


def _started(release: Release) -> str:
    by = f'<span class="faint block cut">{escape(release.started_by_name)}</span>' if release.started_by_name else ""
    shown = f"{moment(release.started_at)}{by}" if release.started_at else ""
    return f'<td class="at small" data-label="Started">{shown}</td>'


def _finished(release: Release) -> str:
    label, shown = "", ""
    if release.finished_at:
        length = took(release.started_at, release.finished_at)
        label, shown = "Finished", f'{moment(release.finished_at)}<span class="faint block">took {length}</span>'
    elif release.started_at:
        label, shown = "Running", f'<span class="faint">for {took(release.started_at)}</span>'
    elif not release.planned_start_at:
        by = f" \N{MIDDLE DOT} {escape(release.created_by_name)}" if release.created_by_name else ""
        shown = f'<span class="faint">created {moment(release.created_at)}{by}</span>'
    return f'<td class="at small" data-label="{label}">{shown}</td>'
