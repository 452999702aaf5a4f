#!/usr/bin/env python3
"""Pilothouse's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from config.errors import PilothouseError


def main() -> None:
    """Runs one management command; an error made on purpose is shown as its sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except PilothouseError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
