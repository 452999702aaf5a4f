"""The settings under test: a state folder of their own, quick passwords, and a slot.

Sessions that run at the same time (two terminals, or pytest-xdist's workers) share one pair of servers; each has a
*slot*: a number no other live session has, which names its database and its broker database. A process that a test
starts inherits the slot through the environment.
"""

import fcntl
import os
from pathlib import Path

os.environ.setdefault("PILOTHOUSE_STATE", ".pilothouse/test")
os.environ.setdefault("PILOTHOUSE_THROWAWAY", "1")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright runs a loop in the test's own thread

from config.settings import *  # noqa: F403
from config.settings import DATABASES, MIDDLEWARE, STATE, STATIC_ROOT, env

SLOTS = 60  # the test broker has 64 numbered databases


def _take_slot() -> int:
    """The slot of this session; its lock lives as long as this process."""
    taken, _, owner = os.environ.get("PILOTHOUSE_TEST_SLOT", "").partition("@")
    here = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if taken and owner == here:
        return int(taken)
    folder = Path(STATE.path) / "slots"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for slot in range(1, SLOTS):
        lock = os.open(folder / str(slot), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.environ["PILOTHOUSE_TEST_SLOT"] = f"{slot}@{here}"
        return slot
    raise RuntimeError(f"{SLOTS} test sessions run at once")


SLOT = _take_slot()
DATABASES["default"]["TEST"] = {"NAME": f"test_pilothouse_{SLOT}"}
if "PILOTHOUSE_TEST_DATABASE" in os.environ:  # a process that a test started uses that test's database
    DATABASES["default"]["NAME"] = os.environ["PILOTHOUSE_TEST_DATABASE"]
if not env.str("REDIS_URL", default=""):
    CELERY_BROKER_URL = STATE.broker_url(SLOT)

ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("axes.")]
LOCAL_PROVIDER = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Static files are found when they are asked for: listing them all took each client 0.1 s.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
Path(STATIC_ROOT).mkdir(parents=True, exist_ok=True)
if not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
