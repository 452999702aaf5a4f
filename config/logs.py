"""How a log record is written: one readable line of fields that a program can split again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

#: What every record has; anything else was given as `extra` and is written as name=value.
ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Extras that only repeat the message or cannot be read.
UNREAD = frozenset({"data", "request", "server_time", "status_code"})
#: Loggers that tell too much, and the least that they may tell.
QUIETER = dict.fromkeys(("axes", "celery.app.trace", "celery.beat", "celery.worker.strategy", "httpx"), "WARNING")


def configuration(level: str) -> dict[str, Any]:
    """Returns the logging configuration of every process: lines on standard error, from `level` on."""
    passed_up: dict[str, Any] = {"handlers": [], "propagate": True}
    loggers = dict.fromkeys(("django", "django.server", "gunicorn.error", "gunicorn.access"), passed_up)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "config.logs.Line"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {**loggers, **{name: {"level": least} for name, least in QUIETER.items()}},
    }


class Line(logging.Formatter):
    """`2026-11-23T08:00:00.123Z INFO releases.tasks: tick release=12`, in UTC, a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line for one record."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = "".join(
            f" {name}={value!r}" if " " in str(value) else f" {name}={value}"
            for name, value in vars(record).items()
            if name not in ORDINARY and name not in UNREAD
        )
        line = f"{moment} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
