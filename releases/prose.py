"""Markdown that people wrote, as HTML that cannot hurt: instructions and comments."""

from __future__ import annotations

from functools import lru_cache

import markdown
import nh3
from django.utils.safestring import SafeString, mark_safe

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LOWER_HEADINGS = 4


@lru_cache(maxsize=128)
def to_html(text: str) -> SafeString:
    """Return Markdown as HTML with only harmless tags left: no images, styles, scripts or raw attributes."""
    made = markdown.markdown(text, extensions=["extra", "sane_lists", "nl2br"], output_format="html")
    clean = nh3.clean(
        made,
        tags=_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    for level in range(_LOWER_HEADINGS, 0, -1):  # the page has headings of its own above it
        clean = clean.replace(f"<h{level}>", f"<h{min(level + 3, 6)}>").replace(
            f"</h{level}>", f"</h{min(level + 3, 6)}>"
        )
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it
