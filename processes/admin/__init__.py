"""The blueprint in the admin: processes with phases and activities, the store, input sets, resources, revisions."""

from processes.admin import input_sets as input_sets
from processes.admin import phases as phases
from processes.admin import processes as processes
from processes.admin import resources as resources
from processes.admin import revisions as revisions
from processes.admin import store as store
