"""What people do with the store: connections and reusable activities, edited as documents, published as revisions.

Every verb checks the actor's permission (none means the machine), writes its Event in the same transaction and takes
the row's lock first, so that two editors follow one another. Documents come from `processes.services.apply`, the admin
and the API alike; what is wrong with one is told by the checks that the apps above have registered (activities.hooks).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.db.models import Func, ProtectedError, Value
from django.db.models.functions import Cast

from activities import hooks, secrets
from activities.canonical import canonical, digest, secret_names
from activities.fields import searchable
from activities.hooks import require_publishable, require_savable, users_of
from activities.models import Activity, ActivityRevision, Connection, Secret
from activities.runners import provider_paths
from config.errors import Conflict, Fault, InvalidInput
from config.permissions import require, visible_by_any
from config.trail import Actor, actor_name, record

Document = Mapping[str, Any]
Change = Literal["created", "changed", "unchanged"]
MOST_NAMED = 10


class JsonPath(models.TextField):
    """PostgreSQL's type of paths into JSON; only ever cast to, never stored."""

    def db_type(self, connection: object) -> str:  # noqa: ARG002  Django's signature
        """Returns the type's name in SQL."""
        return "jsonpath"


@transaction.atomic
def apply_connection(actor: Actor, document: Document, *, now: datetime) -> Change:
    """Makes the connection be what the document says; a secret it names may get its value later.

    Raises NotPermitted, or InvalidInput with every fault of the document.
    """
    require_savable(document)
    if document["provider"] not in provider_paths():
        cure = f"The known ones are: {', '.join(sorted(provider_paths()))}."
        raise InvalidInput([Fault("provider", f"There is no provider '{document['provider']}'.", cure)])
    found = Connection.objects.select_for_update(of=("self",)).filter(slug=document["id"]).first()
    require(actor, "activities.change_connection" if found else "activities.add_connection", found)
    before = export_connection(found) if found else None
    secrets.require_use(actor, document, before)
    connection = found or Connection(slug=document["id"])
    connection.name = document["name"]
    connection.description = document.get("description", "")
    connection.provider = document["provider"]
    connection.settings = document.get("settings", {})
    connection.limits = document.get("limits", {})
    connection.enabled = document.get("enabled", True)
    connection.secret = secrets.name_secret(document["secret"]["secret"], now=now) if "secret" in document else None
    for name in secret_names(connection.settings):
        secrets.name_secret(name, now=now)
    after = export_connection(connection)
    if before is not None and canonical(before) == canonical(after):
        return "unchanged"
    if found is None:
        _save_new(connection)
    else:
        connection.save()
    verb = "connection.changed" if found else "connection.created"
    record(actor, verb, connection, before=before, after=after, now=now)
    hooks.tell(now)
    return "changed" if found else "created"


def export_connection(connection: Connection) -> dict[str, Any]:
    """Returns the connection's document; what says nothing but the default is left out."""
    document: dict[str, Any] = {
        "kind": "Connection",
        "id": connection.slug,
        "name": connection.name,
        "provider": connection.provider,
    }
    optional = {"description": connection.description, "settings": connection.settings, "limits": connection.limits}
    document.update({key: value for key, value in optional.items() if value})
    if connection.secret is not None:
        document["secret"] = {"secret": connection.secret.name}
    if not connection.enabled:
        document["enabled"] = False
    return document


def visible_activities(actor: Actor) -> models.QuerySet[Activity]:
    """Returns the store activities that `actor` may look at or work on."""
    held = [f"activities.{verb}_activity" for verb in ("view", "change", "publish", "delete")]
    return visible_by_any(actor, held, Activity.objects.all())


def visible_connections(actor: Actor) -> models.QuerySet[Connection]:
    """Returns the connections that `actor` may look at or change."""
    held = [f"activities.{verb}_connection" for verb in ("view", "change", "delete")]
    return visible_by_any(actor, held, Connection.objects.select_related("secret"))


@transaction.atomic
def apply_activity(actor: Actor, document: Document, *, now: datetime) -> Change:
    """Makes the document the draft of the store activity it names. Revisions stay as they are.

    Raises NotPermitted, or InvalidInput with every fault of the document.
    """
    require_savable(document)
    found = Activity.objects.select_for_update().filter(slug=document["id"]).first()
    if found is not None:
        return "changed" if save_draft(actor, found, document=document, now=now) else "unchanged"
    require(actor, "activities.add_activity")
    secrets.require_use(actor, document)
    activity = Activity(slug=document["id"])
    _take(activity, document)
    _save_new(activity)
    record(actor, "activity.created", activity, after=activity.draft, now=now)
    return "created"


def export_activity(activity: Activity) -> dict[str, Any]:
    """Returns the document of the draft."""
    return dict(activity.draft)


@transaction.atomic
def save_draft(
    actor: Actor, activity: Activity, *, document: Document, now: datetime, version: int | None = None
) -> bool:
    """Replaces the draft; False when it is the same already. `version` is the one the editor has seen.

    Raises NotPermitted, Conflict when somebody has edited it since `version`, InvalidInput for a faulty document.
    """
    require(actor, "activities.change_activity", activity)
    require_savable(document)
    held = Activity.objects.select_for_update().get(pk=activity.pk)
    if document["id"] != held.slug:
        raise InvalidInput([Fault("id", f"The id '{held.slug}' cannot change.", "Make a new activity instead.")])
    if version is not None and version != held.version:
        raise Conflict(f"'{held.slug}' was edited meanwhile; look at version {held.version}.", code="stale")
    if canonical(held.draft) == canonical(document):
        return False
    before = held.draft
    secrets.require_use(actor, document, before)
    _take(held, document)
    held.version += 1
    held.save()
    activity.refresh_from_db()
    record(actor, "activity.changed", held, before=before, after=held.draft, now=now)
    return True


@transaction.atomic
def publish_activity(actor: Actor, activity: Activity, *, now: datetime, reason: str = "") -> ActivityRevision:
    """Publishes the draft as the next revision; answers with the latest one when that is what the draft says.

    Raises NotPermitted, or InvalidInput with everything that is wrong with the draft.
    """
    require(actor, "activities.publish_activity", activity)
    held = Activity.objects.select_for_update().get(pk=activity.pk)
    require_publishable(held.draft)
    latest = latest_revision(held)
    if latest is not None and latest.digest == digest(held.draft):
        return latest
    revision = ActivityRevision.objects.create(
        activity=held,
        number=latest.number + 1 if latest else 1,
        document=held.draft,
        digest=digest(held.draft),
        published_at=now,
        published_by=actor if isinstance(actor, User) else None,
        published_by_name=actor_name(actor),
    )
    before = {"revision": latest.number, "digest": latest.digest} if latest else None
    after = {"revision": revision.number, "digest": revision.digest}
    record(actor, "activity.published", held, before=before, after=after, reason=reason, now=now)
    hooks.tell(now)
    return revision


def latest_revision(activity: Activity) -> ActivityRevision | None:
    """Returns the revision that an unpinned reference means, None before the first."""
    return activity.revisions.order_by("-number").first()


def is_published(activity: Activity) -> bool:
    """Says whether the latest revision is what the draft says."""
    latest = latest_revision(activity)
    return latest is not None and latest.digest == digest(activity.draft)


@transaction.atomic
def delete_connection(actor: Actor, connection: Connection, *, now: datetime) -> None:
    """Deletes a connection that nothing uses. Raises NotPermitted, or Conflict naming who uses it."""
    require(actor, "activities.delete_connection", connection)
    _delete(actor, connection, "connection.deleted", before=export_connection(connection), now=now)


@transaction.atomic
def delete_activity(actor: Actor, activity: Activity, *, now: datetime) -> None:
    """Deletes a store activity that was never published and that nothing uses.

    Raises NotPermitted, or Conflict naming who uses it: published revisions are history and stay.
    """
    require(actor, "activities.delete_activity", activity)
    _delete(actor, activity, "activity.deleted", before=activity.draft, now=now)


@transaction.atomic
def delete_secret(actor: Actor, secret: Secret, *, now: datetime) -> None:
    """Deletes a secret that nothing names. Raises NotPermitted, or Conflict naming who names it."""
    require(actor, "activities.delete_secret", secret)
    _delete(actor, secret, "secret.deleted", before=None, now=now)


def used_by(thing: Connection | Activity | Secret) -> list[str]:
    """Returns who uses a connection, store activity or secret: in the store, and as the apps above tell."""
    return [*_store_users(thing), *users_of(thing)]


def _store_users(thing: models.Model) -> list[str]:
    if isinstance(thing, Connection):
        return _names(_reached_by("draft", thing, Activity), _reached_by("document", thing, ActivityRevision))
    if isinstance(thing, Secret):
        named = Connection.objects.filter(models.Q(secret=thing) | models.Q(_names_secret("settings", thing)))
        connections = [f"connection '{connection.slug}'" for connection in named]
        drafts = Activity.objects.filter(_names_secret("draft", thing))
        return connections + _names(drafts, ActivityRevision.objects.filter(_names_secret("document", thing)))
    return []


def _reached_by(column: str, connection: Connection, model: type[models.Model]) -> models.QuerySet[Any]:
    """The drafts or revisions that run on a connection."""
    rows = model._default_manager.alias(found=searchable(column))
    return rows.filter(found__automated__connection=connection.slug)


def _names(drafts: models.QuerySet[Activity], revisions: models.QuerySet[ActivityRevision]) -> list[str]:
    """The store activities among whose drafts or revisions something was found."""
    found = models.Q(pk__in=drafts.values("pk")) | models.Q(pk__in=revisions.values("activity"))
    return [f"store activity '{slug}'" for slug in Activity.objects.filter(found).values_list("slug", flat=True)]


def _names_secret(column: str, secret: Secret) -> Func:
    """Whether a JSON column holds `{secret: <its name>}` anywhere."""
    path, name = Value("$.**.secret ? (@ == $name)"), Value({"name": secret.name}, models.JSONField())
    template = "jsonb_path_exists(%(expressions)s)"
    return Func(searchable(column), Cast(path, JsonPath()), name, template=template, output_field=models.BooleanField())


def _take(activity: Activity, document: Document) -> None:
    activity.draft = dict(document)
    activity.name = document["name"]
    activity.description = document.get("description", "")
    activity.kind = document["type"]


def _save_new(thing: Connection | Activity) -> None:
    try:
        with transaction.atomic():
            thing.save()
    except IntegrityError as error:
        raise Conflict(f"'{thing.slug}' was made by somebody else just now; look again.") from error


def _delete(actor: Actor, thing: Connection | Activity | Secret, verb: str, *, before: Any, now: datetime) -> None:
    users = used_by(thing)
    if not users:
        record(actor, verb, thing, before=before, now=now)
        try:
            thing.delete()
        except ProtectedError as error:
            protected = sorted(error.protected_objects, key=str)
            users = [f"{found._meta.verbose_name} '{found}'" for found in protected]
    if users:
        more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        raise Conflict(f"'{thing}' is used by {', '.join(users[:MOST_NAMED])}{more}.", code="in_use")
