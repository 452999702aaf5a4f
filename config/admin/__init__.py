"""The site's own part of the admin, and what every other part stands on (`scoped`, `forms`, `guarded`)."""

from config.admin import people as people
from config.admin import trail as trail
