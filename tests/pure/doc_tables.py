"""The tables of a page of the documentation: rows by the heading they stand under."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def tables(page: str) -> dict[str, list[dict[str, str]]]:
    """Each heading's table, a mapping of column to cell for each row, without the marks of code."""
    found: dict[str, list[dict[str, str]]] = {}
    heading = ""
    columns: list[str] = []
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading, columns = line.strip("# ").replace("`", ""), []
        if not line.startswith("|") or line.startswith("|---"):
            continue
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if columns:
            found.setdefault(heading, []).append(dict(zip(columns, cells, strict=True)))
        else:
            columns = cells
    return found
