"""The site as an installed app: its tables and its management commands."""

import gc

from django.apps import AppConfig
from django.core import checks

from config import celery as celery  # the web process, too, must know the one Celery application
from config.oidc.configured import check_provider


class SiteConfig(AppConfig):
    """The site."""

    name = "config"
    verbose_name = "Site"

    def ready(self) -> None:
        """Has the provider's settings checked by every command, and garbage looked for in what is made from now on."""
        checks.register(check_provider)
        gc.freeze()
        gc.enable()
