"""What the frame around every page needs to know."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag(takes_context=True)
def current(context: dict[str, Any], *names: str) -> SafeString:
    """Return the mark of the link to where the reader is: one of `names` is the page's name or its namespace.

    A name after a hyphen (`-releases:home`) is left out of its namespace.
    """
    match = getattr(context.get("request"), "resolver_match", None)
    is_here = match is not None and (match.view_name in names or match.namespace in names)
    is_here = is_here and match is not None and f"-{match.view_name}" not in names
    return mark_safe(' aria-current="page"') if is_here else SafeString("")


@register.simple_tag
def provider() -> str:
    """Return what people see the provider called by which they can sign in; nothing if there is none."""
    return settings.OIDC_NAME if settings.OIDC_ISSUER else ""
