"""The site as an installed app: its tables and its management commands."""

from django.apps import AppConfig

from config import celery as celery  # the web process, too, must know the one Celery application


class SiteConfig(AppConfig):
    """The site."""

    name = "config"
    verbose_name = "Site"
