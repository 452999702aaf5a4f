"""From what there is to what templates draw: weeks of bars, days with hours, a quarter's rows, an agenda."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from calendar_app import grid
from calendar_app.entries import Spot
from calendar_app.filters import Asked
from calendar_app.grid import Column, Row
from calendar_app.off import DayOff, Frost
from calendar_app.periods import WEEK, Period
from calendar_app.reading import Band

#: How many lanes a week of the month has, and the band above the hours, and a quarter's row.
MONTH_LANES, BAND_LANES, QUARTER_LANES, FREEZE_LANES = 5, 6, 3, 2
WEEK_COLUMNS, DAY_COLUMNS = 3, 9
#: A group with more bars in a quarter than this, or more than fit its lanes, is drawn as a number for each week.
MOST_BARS = 26
DOTS = 4


@dataclass(slots=True)
class Day:
    """A day as it is drawn. `hidden` counts the releases for which there was no room, `total` all of them.

    `alone` is the address of the day's own view, `pick` that of the same view with this day chosen.
    """

    on: date
    alone: str
    pick: str
    is_today: bool
    is_outside: bool
    is_chosen: bool
    is_frozen: bool = False
    off: list[DayOff] = field(default_factory=list)
    change: timedelta = timedelta()
    hidden: int = 0
    total: int = 0
    dots: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """The day as people say it: `Friday 27 November`."""
        return f"{self.on:%A} {self.on.day} {self.on:%B}"

    @property
    def change_words(self) -> str:
        """What the clocks do on this day; nothing on most."""
        return "" if not self.change else "Clocks go forward" if self.change > timedelta() else "Clocks go back"

    @property
    def is_weekend(self) -> bool:
        """Whether it is a Saturday or a Sunday."""
        return self.on.weekday() > 4


@dataclass(slots=True)
class Week:
    """A week of the month, or the band of whole days above the hours. Freezes have the lanes above the releases."""

    days: list[Day]
    freezes: Row[Frost]
    releases: Row[Spot]

    @property
    def lanes(self) -> int:
        """How many lanes it has, those of freezes included."""
        return self.freezes.lanes + self.releases.lanes


@dataclass(slots=True)
class Hours:
    """A day with its hours: what is within it, and when freezes apply."""

    day: Day
    releases: Column[Spot]
    freezes: Column[Frost]
    place: str
    now: str = ""


@dataclass(slots=True)
class Line:
    """A group's row in a quarter: bars, or, when there are too many, how many releases each week has."""

    group: Band | None
    count: int
    address: str
    row: Row[Spot] | None = None
    weeks: list[tuple[date, int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Agenda:
    """A day of the list, with what begins on it."""

    day: Day
    spots: list[Spot]
    freezes: list[Frost]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn: what a period has, as one reader may see it, in their zone. `now` is on its wall.

    `alone` and `pick` are the addresses of the day that was asked for: by itself, and chosen in this view.
    """

    asked: Asked
    period: Period
    groups: Sequence[Band]
    spots: Sequence[Spot]
    freezes: Sequence[Frost]
    off: Mapping[date, list[DayOff]]
    zone: ZoneInfo
    now: datetime
    alone: str
    pick: str

    def day(self, on: date) -> Day:
        """Return a day as it is drawn, without its releases."""
        period, asked_for = self.period, f"date={self.asked.day}"
        return Day(
            on=on,
            alone=self.alone.replace(asked_for, f"date={on}", 1),
            pick=self.pick.replace(asked_for, f"date={on}", 1),
            is_today=on == self.now.date(),
            is_outside=not period.begins <= on <= period.ends,
            is_chosen=on == period.day,
            off=self.off.get(on, []),
            change=grid.clock_change(on, self.zone),
        )


def weeks_of(scene: Scene) -> list[Week]:
    """Return the weeks of a month."""
    weeks = scene.period.weeks
    by_week: list[list[Spot]] = [[] for _ in weeks]
    for one in scene.spots:
        at, end = grid.days_of(one, scene.period.first)
        for own in by_week[max(at // WEEK, 0) : end // WEEK + 1]:
            own.append(one)
    drawn = zip(weeks, by_week, strict=True)
    return [_week(scene, first, own, scene.freezes, MONTH_LANES) for first, own in drawn]


def band_of(scene: Scene) -> Week:
    """Return the band above the hours of a week or a day: what lasts for 24 hours or more."""
    long = [one for one in scene.spots if grid.is_long(one)]
    freezes = [one for one in scene.freezes if grid.is_long(one)]
    return _week(scene, scene.period.first, long, freezes, BAND_LANES, columns=len(scene.period.days))


def _week(
    scene: Scene, first: date, spots: Sequence[Spot], cold: Iterable[Frost], most: int, *, columns: int = WEEK
) -> Week:
    near = joined(cold, first, columns)
    freezes = grid.row(near, first, columns, FREEZE_LANES)
    releases = grid.row(spots, first, columns, most)
    days = [scene.day(first + timedelta(days=number)) for number in range(columns)]
    for number, day in enumerate(days):
        day.hidden = releases.hidden[number]
    for frost in near:
        begin, end = grid.days_of(frost, first)
        for day in days[max(begin, 0) : end + 1]:
            day.is_frozen = True
    for one in spots:
        begin, end = grid.days_of(one, first)
        for day in days[max(begin, 0) : max(end + 1, 0)]:
            day.total += 1
            if len(day.dots) < DOTS:
                day.dots.append(one.hue)
    return Week(days, freezes, releases)


def joined(freezes: Iterable[Frost], first: date, columns: int) -> list[Frost]:
    """Return the freezes that touch some days, each one's times on the same or neighbouring days as one."""
    last = first + timedelta(days=columns - 1)
    near = sorted(
        (one for one in freezes if grid.touches(one, first, last)), key=lambda one: (one.freeze_id, one.starts)
    )
    found: list[Frost] = []
    for one in near:
        before = found[-1] if found else None
        joins = before is not None and before.freeze_id == one.freeze_id
        if before is not None and joins and one.starts.date() <= grid.last_day(before) + timedelta(days=1):
            ends, is_open = max(before.ends, one.ends), before.is_open or one.is_open
            found[-1] = Frost(one.freeze_id, one.name, before.starts, ends, is_open)
        else:
            found.append(one)
    return found


def hours_of(scene: Scene) -> list[Hours]:
    """Return the days of a week, or one day, with their hours."""
    most = DAY_COLUMNS if len(scene.period.days) == 1 else WEEK_COLUMNS
    short = [one for one in scene.spots if not grid.is_long(one)]
    cold = [one for one in scene.freezes if not grid.is_long(one)]
    found = []
    for number, on in enumerate(scene.period.days):
        releases, freezes = grid.column(short, on, most), grid.column(cold, on, 2)
        hours = Hours(scene.day(on), releases, freezes, grid.place(number, 1))
        if on == scene.now.date():
            hours.now = grid.place((scene.now.hour * 60 + scene.now.minute) // 15, 1)
        found.append(hours)
    return found


def lines_of(scene: Scene) -> list[Line]:
    """Return a quarter's rows: one for each group that has releases in it, by name; what is ad hoc comes last."""
    by_group: dict[int | None, list[Spot]] = {}
    for one in scene.spots:
        by_group.setdefault(one.group_id, []).append(one)
    known = [one for one in scene.groups if one.pk in by_group]
    lines = [_line(scene, group, by_group[group.pk]) for group in known]
    return lines + ([_line(scene, None, by_group[None])] if None in by_group else [])


def _line(scene: Scene, group: Band | None, own: list[Spot]) -> Line:
    period = scene.period
    only = {"group": (group.slug,)} if group else {"group": (), "kind": ("ad-hoc",)}
    line = Line(group, len(own), scene.asked.address(**only))
    if len(own) <= MOST_BARS:
        line.row = grid.row(own, period.first, len(period.days), QUARTER_LANES)
    if line.row is None or any(line.row.hidden):
        weeks = period.weeks
        counts = zip(weeks, grid.per_week(own, period.first, len(weeks)), strict=True)
        line.row = None
        to, day = scene.asked.address(view="week", **only), f"date={scene.asked.day}"
        line.weeks = [(on, count, to.replace(day, f"date={on}")) for on, count in counts]
    return line


def freezes_in(scene: Scene) -> Row[Frost]:
    """Return a quarter's freezes as bars above its rows."""
    columns = len(scene.period.days)
    return grid.row(joined(scene.freezes, scene.period.first, columns), scene.period.first, columns, FREEZE_LANES + 2)


def months_in(period: Period) -> list[tuple[str, str]]:
    """Return the months that a quarter's days lie in, each with its place."""
    found = []
    for _, same in groupby(enumerate(period.days), key=lambda one: (one[1].year, one[1].month)):
        days = list(same)
        label = f"{days[0][1]:%B %Y}" if len(days) > WEEK else f"{days[0][1]:%b}"
        found.append((label, grid.place(days[0][0], len(days))))
    return found


def agenda_of(scene: Scene, since: date, until: date) -> list[Agenda]:
    """Return the days from `since` to `until` on which something begins; the first also has what lasts already."""
    by_day: dict[date, list[Spot]] = {}
    for one in scene.spots:
        by_day.setdefault(max(one.starts.date(), since), []).append(one)
    cold: dict[date, list[Frost]] = {}
    for frost in scene.freezes:
        if grid.touches(frost, since, until):
            cold.setdefault(max(frost.starts.date(), since), []).append(frost)
    days = sorted({*by_day, *cold, *(on for on in scene.off if since <= on <= until)})
    return [Agenda(scene.day(on), by_day.get(on, []), cold.get(on, [])) for on in days]
