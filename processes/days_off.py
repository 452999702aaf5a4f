"""Which days are off in a country, a part of one, or at an exchange: the `holidays` library, a year at a time.

A name is `DE`, `DE-BY` (a part), `NYSE` or `XNYS` (an exchange). Names in lower case are imported calendars' ids, which
this module does not know.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from types import MappingProxyType

import holidays
from holidays.registry import COUNTRIES

from config.errors import Fault


@dataclass(frozen=True, slots=True)
class YearOff:
    """A year: its days off with their names, and every day nobody works (days off, and weekends as they are there)."""

    named: Mapping[date, str]
    idle: frozenset[date]


def is_imported(name: str) -> bool:
    """Whether a calendar's name is the id of an imported one rather than a country's or an exchange's."""
    return not name[:1].isupper()


def name_faults(name: str) -> list[Fault]:
    """What is wrong with the name of a country's or an exchange's calendar: nothing, or one fault with the nearest."""
    place, _, part = name.partition("-")
    parts = _places().get(place)
    if parts is None:
        near = difflib.get_close_matches(place.upper(), _spellings(), n=1, cutoff=0.5)
        otherwise = "Write it like DE, DE-BY or NYSE, or name an imported calendar."
        cure = f"Did you mean {_spellings()[near[0]]}?" if near else otherwise
        return [Fault("", f"'{name[:40]}' is not a country or exchange whose days off are known.", cure)]
    if part in parts or name == place:
        return []
    near = difflib.get_close_matches(part, parts, n=1)
    known = f"Known are {', '.join(parts[:20])}." if parts else f"Write {place} alone."
    cure = f"Did you mean {place}-{near[0]}?" if near else known
    return [Fault("", f"'{part[:40]}' is not a part of {place} whose days off are known.", cure)]


@cache
def places() -> Mapping[str, str]:
    """Every country and exchange whose days off are known, by its shortest code, with its name in words."""
    names = {codes[1]: name.replace("_", " ").title() for name, codes in COUNTRIES.items()}
    exchanges = dict.fromkeys(holidays.list_supported_financial(), "exchange")
    return MappingProxyType({**dict(sorted(names.items())), **exchanges})


@lru_cache(maxsize=1_000)
def year_off(name: str, year: int) -> YearOff:
    """The days off of one year; `name` must be free of faults. Only public holidays count."""
    place, _, part = name.partition("-")
    open_calendar = holidays.country_holidays if place in _countries() else holidays.financial_holidays
    found = open_calendar(place, subdiv=part or None, years=year, expand=False, language="en_US")
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    idle = frozenset(day for day in days if day.year == year and not found.is_working_day(day))
    return YearOff(MappingProxyType({day: found[day] for day in found if day.year == year}), idle)


@cache
def _countries() -> Mapping[str, list[str]]:
    return holidays.list_supported_countries()


@cache
def _places() -> Mapping[str, list[str]]:
    return {**holidays.list_supported_financial(), **_countries()}


@cache
def _spellings() -> Mapping[str, str]:
    """How people may have meant a place, by code or by the country's name, in capitals, and its code."""
    names = {name.replace("_", " ").upper(): codes[1] for name, codes in COUNTRIES.items()}
    return {**names, **{code: code for code in _places()}}
