"""Releases in the admin: planned and operated here, groups edited as documents, runs only looked at."""

from releases.admin import exceptions as exceptions
from releases.admin import feeds as feeds
from releases.admin import freezes as freezes
from releases.admin import groups as groups
from releases.admin import holidays as holidays
from releases.admin import releases as releases
from releases.admin import runs as runs
