"""The Celery application: workers and beat run `celery -A config.celery`."""

import os
import signal
from logging.config import dictConfig
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.db import close_old_connections

from config.privileges import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("pilothouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def log_like_the_site(**_: Any) -> None:
    """Workers and beat log the way the web process does."""
    dictConfig(settings.LOGGING)


@signals.task_prerun.connect
def drop_broken_connections(**_: Any) -> None:
    """A connection that failed in the last task, or is too old, is not used for the next one."""
    close_old_connections()


@signals.worker_process_init.connect
def end_with_the_worker(**_: Any) -> None:
    """A pool process never outlives its worker: what it was doing is rescued elsewhere, not done twice."""
    end_with_parent(signal.SIGKILL, os.getppid())
