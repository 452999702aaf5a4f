#!/usr/bin/env python3
"""Pilothouse's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from config.embedded import Hold, is_meant, state
from config.errors import PilothouseError

#: Commands that use no database, or (run) start what they need themselves.
FREE = {"check", "collectstatic", "diffsettings", "help", "run", "spectacular", "version"}


def main() -> None:
    """Runs one management command, on the embedded servers unless others are set; errors are one sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    asks_for_help = {"-h", "--help", "--version"} & set(sys.argv)
    needs_servers = len(sys.argv) > 1 and sys.argv[1] not in FREE and not asks_for_help
    try:
        hold = Hold(state()) if needs_servers and is_meant() else None
        execute_from_command_line(sys.argv)
    except PilothouseError as error:
        sys.exit(str(error))
    if hold:
        hold.release()


if __name__ == "__main__":
    main()
