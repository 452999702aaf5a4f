"""The app of blueprints."""

from __future__ import annotations

from django.apps import AppConfig


class ProcessesConfig(AppConfig):
    """Blueprints."""

    name = "processes"
    verbose_name = "Blueprints"

    def ready(self) -> None:
        """Registers what the rest of the site finds by name."""
        from processes.services import registration  # noqa: PLC0415  models exist only from here on

        registration.register()
