"""Secret values at rest: AES-256-GCM under the installation's keys, bound to their name, told to runners only.

A ciphertext is: format (1 byte), key id (8 bytes), nonce (12 random bytes), encrypted value with its tag. The name is
the associated data, so a ciphertext copied to another row does not decrypt. The first of settings.SECRET_KEYS encrypts,
all of them decrypt; keys are long texts from which the real keys are derived. Whatever does not fit fails: nothing is
ever returned undecrypted. A row with an empty ciphertext is a name without a value. A value may refer to where the
operator keeps it (`references`); then the reference is what is encrypted, and it is followed at each use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from activities import hooks, references
from activities.canonical import secret_names
from activities.masking import mask
from activities.models import SLUG, Secret, slug_validator
from config.errors import Fault, InvalidInput, NotPermitted, PilothouseError, RunnerRefused, SetUpFailed
from config.permissions import allowed, require
from config.trail import Actor, record

__all__ = ["known_names", "mask", "name_secret", "require_use", "reveal", "reveal_all", "rotate", "set_secret"]

FORMAT = b"\x01"
KEY_ID, NONCE = 8, 12
SHORTEST_KEY = 32
LARGEST = 32_768
"""Characters a secret may have; what is larger is a file, not a secret."""


def require_use(actor: Actor, value: Any, before: Any = None) -> None:
    """Raises NotPermitted unless the actor may refer to every secret that `value` names and `before` did not.

    Whoever can point an input at a secret can have a pipeline read it, so this is a permission of its own; those who
    may set a secret's value may refer to it too.
    """
    named = secret_names(value) - secret_names(before)
    if actor is None or not named:
        return
    rows = {secret.name: secret for secret in Secret.objects.filter(name__in=named)}
    for name in sorted(named):
        row = rows.get(name)
        if not any(allowed(actor, f"activities.{verb}_secret", row) for verb in ("use", "change")):
            raise NotPermitted(f"You need the permission to refer to the secret '{name}'.")


@sensitive_variables("value")
@transaction.atomic
def set_secret(actor: Actor, name: str, value: str, *, now: datetime | None = None) -> Secret:
    """Keeps a value under a name, in place of the one before, and writes `secret.set` without it.

    Raises NotPermitted, InvalidInput for a name or value that cannot be one, SetUpFailed without a usable key.
    """
    require(actor, "activities.change_secret")
    faults = [*_name_faults(name), *_value_faults(value), *references.faults(value)]
    if faults:
        raise InvalidInput(faults)
    moment = now or timezone.now()
    kept = {
        "ciphertext": _encrypt(name, value),
        "updated_at": moment,
        "updated_by": actor if isinstance(actor, User) else None,
    }
    secret, _ = Secret.objects.update_or_create(name=name, defaults=kept)
    record(actor, "secret.set", secret, now=moment)
    hooks.tell(moment)
    return secret


def name_secret(name: str, *, now: datetime) -> Secret:
    """Returns the secret of this name; makes one that waits for its value. Raises InvalidInput for a bad name."""
    faults = _name_faults(name)
    if faults:
        raise InvalidInput(faults)
    return Secret.objects.get_or_create(name=name, defaults={"ciphertext": b"", "updated_at": now})[0]


@sensitive_variables()
def reveal(name: str) -> str:
    """Returns a secret's value. Only for the worker, just before a start; keep it out of every row, log and message.

    Raises InvalidInput when nobody has set it, RunnerRefused when it cannot be decrypted.
    """
    return _opened(name, Secret.objects.filter(name=name).values_list("ciphertext", flat=True).first())


@sensitive_variables()
def _opened(name: str, kept: Any) -> str:
    if not kept:
        cure = f"Set it in the admin or with `manage.py set_secret {name}`."
        raise InvalidInput([Fault("", f"The secret '{name}' has no value.", cure)], code="secret_missing")
    return references.resolve(name, _decrypt(name, bytes(kept)))


@sensitive_variables()
def reveal_all(names: Iterable[str]) -> dict[str, str | PilothouseError]:
    """Returns several secrets' values in one query; for one that cannot be revealed, what `reveal` would raise."""
    wanted = sorted(set(names))
    kept = dict(Secret.objects.filter(name__in=wanted).values_list("name", "ciphertext")) if wanted else {}
    found: dict[str, str | PilothouseError] = {}
    for name in wanted:
        try:
            found[name] = _opened(name, kept.get(name))
        except PilothouseError as error:
            found[name] = error
    return found


def known_names(names: Iterable[str]) -> set[str]:
    """Returns those of the names that have a value."""
    return set(Secret.objects.filter(name__in=list(names)).exclude(ciphertext=b"").values_list("name", flat=True))


@sensitive_variables()
@transaction.atomic
def rotate(actor: Actor = None, *, now: datetime | None = None) -> int:
    """Encrypts with the current key what an older one encrypted; returns how many. Afterwards old keys may go.

    Raises NotPermitted, SetUpFailed without a usable key, RunnerRefused when one cannot be read: then none changes.
    """
    require(actor, "activities.change_secret")
    current = next(iter(_keys(tuple(settings.SECRET_KEYS))))
    done = 0
    for secret in Secret.objects.select_for_update().exclude(ciphertext=b"").order_by("pk"):
        kept = bytes(secret.ciphertext)
        if kept[1 : 1 + KEY_ID] == current:
            continue
        secret.ciphertext = _encrypt(secret.name, _decrypt(secret.name, kept))
        secret.save(update_fields=["ciphertext"])
        record(actor, "secret.rotated", secret, now=now)
        done += 1
    return done


@sensitive_variables("value")
def _encrypt(name: str, value: str) -> bytes:
    key_id, key = next(iter(_keys(tuple(settings.SECRET_KEYS)).items()))
    nonce = os.urandom(NONCE)
    return FORMAT + key_id + nonce + key.encrypt(nonce, value.encode(), _bound_to(name))


def _decrypt(name: str, kept: bytes) -> str:
    keys = _keys(tuple(settings.SECRET_KEYS))
    key = keys.get(kept[1 : 1 + KEY_ID])
    if kept[:1] != FORMAT or key is None:
        raise RunnerRefused(
            f"The secret '{name}' was encrypted with a key that is not among PILOTHOUSE_SECRET_KEYS. "
            "Add that key again, or set the secret anew.",
            code="secret_unreadable",
        )
    nonce, encrypted = kept[1 + KEY_ID : 1 + KEY_ID + NONCE], kept[1 + KEY_ID + NONCE :]
    try:
        return key.decrypt(nonce, encrypted, _bound_to(name)).decode()
    except (InvalidTag, ValueError):
        raise RunnerRefused(
            f"The secret '{name}' cannot be read: its row was damaged or moved. Set it anew.", code="secret_unreadable"
        ) from None


def _bound_to(name: str) -> bytes:
    return b"pilothouse secret 1:" + name.encode()


@lru_cache(maxsize=8)
def _keys(texts: tuple[str, ...]) -> dict[bytes, AESGCM]:
    """The usable keys by id, the current one first."""
    if not texts or any(len(text) < SHORTEST_KEY for text in texts):
        raise SetUpFailed(
            f"PILOTHOUSE_SECRET_KEYS must hold keys of at least {SHORTEST_KEY} random characters, separated by commas, "
            "the current one first.",
            code="secret_keys",
        )
    return {_derive(text, b"id", KEY_ID): AESGCM(_derive(text, b"key", 32)) for text in texts}


def _derive(text: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"pilothouse secret " + purpose).derive(text.encode())


def _name_faults(name: str) -> list[Fault]:
    fits = re.fullmatch(SLUG, name)
    return [] if fits else [Fault("name", f"{name!r} cannot name a secret.", str(slug_validator.message))]


def _value_faults(value: str) -> list[Fault]:
    if not value:
        return [Fault("value", "The value is empty.", "Give the secret itself.")]
    if len(value) > LARGEST or "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        cure = "Encode it, or keep it in a file."
        return [Fault("value", f"The value is no text of at most {LARGEST} characters.", cure)]
    return []
