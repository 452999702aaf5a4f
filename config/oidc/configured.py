"""Whether the settings of the provider can be right."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

HERE = ("localhost", "127.0.0.1", "::1")
LONGEST = 200


def check_provider(**_: Any) -> list[CheckMessage]:
    """Return everything that is wrong with the settings of the provider; nothing while none is set."""
    if not settings.OIDC_ISSUER:
        return []
    address = urlsplit(settings.OIDC_ISSUER)
    is_safe = address.scheme == "https" or (address.scheme == "http" and address.hostname in HERE)
    faults = {
        "OIDC_ISSUER must be an https:// address.": not is_safe or not address.hostname,
        f"OIDC_ISSUER is longer than {LONGEST} characters.": len(settings.OIDC_ISSUER) > LONGEST,
        "OIDC_CLIENT_ID is not set.": not settings.OIDC_CLIENT_ID,
    }
    return [Error(fault, id="config.E001") for fault, holds in faults.items() if holds]
