"""The web process's entry: `gunicorn -c python:config.web`. The site in its threads, and the streams of open pages."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.bridge import Bridge
from config.live.hub import Hub
from config.live.streams import Site

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = Site(
    Bridge(get_wsgi_application(), threads=settings.WEB_THREADS),
    Hub(settings.CELERY_BROKER_URL, seats=settings.LIVE_STREAMS, each=settings.LIVE_STREAMS_EACH),
)
