"""How gunicorn runs the site: `gunicorn -c python:config.web config.wsgi`. The supervisor gives the address."""

from __future__ import annotations

import os
import signal
from typing import Any

import environ

from config import logs
from config.privileges import end_with_parent

env = environ.Env()

worker_class = "gthread"
workers = env.int("WEB_PROCESSES", default=1)
threads = env.int("WEB_THREADS", default=8)
timeout = 60
graceful_timeout = 5
control_socket_disable = True
logconfig_dict = logs.configuration(env.str("LOG_LEVEL", default="INFO"))
accesslog = "-"
access_log_format = "%(m)s %(U)s %(s)s %(M)sms %(h)s"


def post_fork(_server: Any, _worker: Any) -> None:
    """A web process never outlives its master."""
    end_with_parent(signal.SIGKILL, os.getppid())
