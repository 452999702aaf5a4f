"""The rules people choose from in a form, and back: daily, weekly, every two weeks, monthly, quarterly, custom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from config.errors import Fault, InvalidInput
from processes.recurrence import WEEKDAYS, parse, rule_faults, text_of

#: Every preset with its name for people.
PRESETS = MappingProxyType(
    {
        "daily": "Every day",
        "weekly": "Every week",
        "every_two_weeks": "Every two weeks",
        "monthly_by_date": "Every month, by date",
        "monthly_by_weekday": "Every month, by weekday",
        "quarterly_by_date": "Every quarter, by date",
        "quarterly_by_weekday": "Every quarter, by weekday",
        "custom": "Another rule",
    }
)
_FREQ = {
    "daily": ("DAILY", 1),
    "weekly": ("WEEKLY", 1),
    "every_two_weeks": ("WEEKLY", 2),
    "monthly_by_date": ("MONTHLY", 1),
    "monthly_by_weekday": ("MONTHLY", 1),
    "quarterly_by_date": ("MONTHLY", 3),
    "quarterly_by_weekday": ("MONTHLY", 3),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A choice in a form: its kind, and what that kind asks for.

    `weekdays` (MO, TU …) are for weeks, one of them with `nth` (1 to 5, -1 the last) for months by weekday;
    `month_day` (1 to 31, -1 the last) is for months by date; `rule` for custom. What is left open comes from the start.
    """

    kind: str
    weekdays: tuple[str, ...] = ()
    nth: int | None = None
    month_day: int | None = None
    rule: str = ""


def rule_of(preset: Preset) -> str:
    """The recurrence rule of a choice. Raises InvalidInput with faults at the fields `kind`, `weekdays`, `nth` …"""
    faults = list(_faults(preset))
    if faults:
        raise InvalidInput(faults)
    if preset.kind == "custom":
        return preset.rule.strip()
    freq, interval = _FREQ[preset.kind]
    parts = {"FREQ": freq}
    if interval > 1:
        parts["INTERVAL"] = str(interval)
    if preset.kind.endswith("by_weekday"):
        parts["BYDAY"] = f"{preset.nth}{preset.weekdays[0]}"
    elif freq == "WEEKLY" and preset.weekdays:
        parts["BYDAY"] = ",".join(sorted(preset.weekdays, key=WEEKDAYS.index))
    elif preset.kind.endswith("by_date") and preset.month_day is not None:
        parts["BYMONTHDAY"] = str(preset.month_day)
    return text_of(parts)


def preset_of(rule: str) -> Preset:
    """The choice that a rule came from or might have: `custom` when no other says the same. Raises InvalidInput."""
    read, custom = parse(rule), Preset("custom", rule=rule)
    choice = {
        "DAILY": Preset("daily"),
        "WEEKLY": Preset(
            "every_two_weeks" if read.interval == 2 else "weekly", tuple(WEEKDAYS[day] for _, day in read.by_day)
        ),
        "MONTHLY": _monthly("quarterly" if read.interval == 3 else "monthly", read.by_day, read.by_month_day),
    }.get(read.freq, custom)
    if any(_faults(choice)) or not _says_the_same(choice, rule):
        return custom
    return choice


def _monthly(kind: str, by_day: tuple[tuple[int, int], ...], by_month_day: tuple[int, ...]) -> Preset:
    if by_day:
        ordinal, day = by_day[0]
        return Preset(f"{kind}_by_weekday", (WEEKDAYS[day],), ordinal)
    return Preset(f"{kind}_by_date", month_day=by_month_day[0] if by_month_day else None)


def _says_the_same(choice: Preset, rule: str) -> bool:
    """Whether a choice makes the same rule, but for the order of its weekdays."""
    made, given = parse(rule_of(choice)), parse(rule)
    return replace(made, by_day=tuple(sorted(made.by_day))) == replace(given, by_day=tuple(sorted(given.by_day)))


def _faults(preset: Preset) -> list[Fault]:
    if preset.kind not in PRESETS:
        return [Fault("kind", f"'{preset.kind}' is not a choice.", f"Choose one of {', '.join(PRESETS)}.")]
    if preset.kind == "custom":
        return [Fault("rule", fault.message, fault.cure) for fault in rule_faults(preset.rule)]
    faults = [
        Fault("weekdays", f"'{day}' is not a weekday.", f"Use {', '.join(WEEKDAYS)}.")
        for day in preset.weekdays
        if day not in WEEKDAYS
    ]
    if preset.kind.endswith("by_weekday"):
        if len(preset.weekdays) != 1:
            faults.append(Fault("weekdays", "A month by weekday has one weekday.", "Choose one."))
        if preset.nth not in (1, 2, 3, 4, 5, -1, -2, -3, -4, -5):
            faults.append(Fault("nth", "Which one of the month is not said.", "Choose 1 to 5, or -1 for the last."))
    day = preset.month_day
    if preset.kind.endswith("by_date") and day is not None and not 1 <= abs(day) <= 31:
        faults.append(Fault("month_day", f"{day} is not a day of a month.", "Choose 1 to 31, or -1 for the last."))
    return faults
