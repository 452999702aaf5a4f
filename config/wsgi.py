"""The site for a WSGI server of your own: everything but the streams, so that open pages ask from time to time."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
