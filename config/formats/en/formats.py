"""Moments with 24 hours and their zone; the names are Django's."""

from __future__ import annotations

DATETIME_FORMAT = "D Y-m-d H:i T"
DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
