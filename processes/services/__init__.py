"""What people do with blueprints. Every verb checks the actor's permission and writes its Event in one transaction."""

from processes.services.applying import Applied, apply, export
from processes.services.input_sets import Completeness, completeness, export_input_set, save_input_set
from processes.services.publishing import (
    Publication,
    Verdict,
    check_document,
    check_draft,
    diff_revisions,
    document_of,
    draft_differs,
    latest_revision,
    publish_process,
    publish_together,
)
from processes.services.ready_made import (
    Added,
    Standing,
    add_ready_made,
    connections_for,
    require_look,
    standings,
    standings_of,
)
from processes.services.removing import delete_input_set, delete_process, delete_resource
from processes.services.saving import apply_resource, export_process, export_resource, note_edit, save_process
from processes.uses import Use, used_by

__all__ = [
    "Added",
    "Applied",
    "Completeness",
    "Publication",
    "Standing",
    "Use",
    "Verdict",
    "add_ready_made",
    "apply",
    "apply_resource",
    "check_document",
    "check_draft",
    "completeness",
    "connections_for",
    "delete_input_set",
    "delete_process",
    "delete_resource",
    "diff_revisions",
    "document_of",
    "draft_differs",
    "export",
    "export_input_set",
    "export_process",
    "export_resource",
    "latest_revision",
    "note_edit",
    "publish_process",
    "publish_together",
    "require_look",
    "save_input_set",
    "save_process",
    "standings",
    "standings_of",
    "used_by",
]
