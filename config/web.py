"""How gunicorn runs the site: `gunicorn -c python:config.web`. The supervisor gives the address."""

from __future__ import annotations

import os
import signal
from typing import Any

import environ
from gunicorn.workers.gasgi import ASGIWorker

from config import logs
from config.privileges import end_with_parent

env = environ.Env()

wsgi_app = "config.asgi"
worker_class = "config.web.Worker"
workers = env.int("WEB_PROCESSES", default=1)
timeout = 60
graceful_timeout = 5
control_socket_disable = True
logconfig_dict = logs.configuration(env.str("LOG_LEVEL", default="INFO"))
accesslog = "-"
access_log_format = "%(m)s %(U)s %(s)s %(M)sms %(h)s"


def post_fork(_server: Any, _worker: Any) -> None:
    """A web process never outlives its master."""
    end_with_parent(signal.SIGKILL, os.getppid())


class Worker(ASGIWorker):
    """gunicorn's own worker for ASGI, which does not wait for streams when it is asked to end."""

    def handle_exit_signal(self) -> None:
        """End in good order."""
        self.asgi.end_streams()
        super().handle_exit_signal()
