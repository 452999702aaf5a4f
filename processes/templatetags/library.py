"""How the library's pages name and link what uses a thing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django import template
from django.urls import reverse

from processes.uses import Use

register = template.Library()

_PAGES = {
    "Activity": "store:show",
    "Freeze": "freezes:show",
    "Process": "processes:show",
    "Release": "releases:show",
    "ReleaseGroup": "groups:show",
}


@register.filter
def at(names: Mapping[str, str], key: str) -> str:
    """The name of a node by its id; the id itself when there is no such node."""
    return names.get(key, key)


@register.filter
def kind_in_words(kind: str) -> str:
    """A kind of document as people say it: `InputSet` becomes `Input set`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f" {found[0].lower()}", kind)


@register.simple_tag(takes_context=True)
def use_page(context: Mapping[str, object], use: Use) -> str:
    """The address of the page of what uses a thing; an input set has its place among its process's."""
    if use.kind in _PAGES:
        return reverse(_PAGES[use.kind], args=[use.id])
    process = context.get("process")
    return reverse("processes:input-sets", args=[getattr(process, "slug", "")])
