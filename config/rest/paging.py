"""Lists a page at a time, in a stable order, by a cursor that stays right while rows come and go."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from config.errors import Fault, InvalidInput


class Pages(CursorPagination):
    """Newest first unless a list says otherwise by its `ordering`; `page_size` is 50 and at most 200."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = ("-id",)
    cursor_query_description = "Where to go on: take it from `next` or `previous`."
    page_size_query_description = "How many results a page has, at most 200."

    def get_page_size(self, request: Request) -> int:
        """Return the size asked for. Raises InvalidInput if it is no number from 1 to the largest size."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not asked.isascii() or not asked.isdecimal() or len(asked) > 4 or not 1 <= int(asked) <= self.max_page_size:
            cure = f"Use a number from 1 to {self.max_page_size}."
            raise InvalidInput([Fault("page_size", "This is not a page's size.", cure)])
        return int(asked)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """Return the order of the view's list; it ends in something unique."""
        return tuple(getattr(view, "ordering", ()) or self.ordering)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page starts. Raises InvalidInput for a cursor that is not ours."""
        try:
            return super().decode_cursor(request)
        except (NotFound, ValueError) as error:
            raise _not_ours() from error

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """Return the rows of the page. Raises InvalidInput when the cursor's place is not one in this list."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, TypeError, OverflowError, ValidationError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            raise _not_ours() from error


class BySlug(Pages):
    """In the order of ids, which are names."""

    ordering = ("slug",)


def _not_ours() -> InvalidInput:
    return InvalidInput([Fault("cursor", "This cursor is not one of ours.", "Take it from next or previous.")])
