"""Which addresses may be reached. Standard library only: nothing here resolves a name or opens a socket.

Public unicast addresses may be. Everything else (loopback, private, link-local with its cloud metadata, shared,
multicast, reserved, unspecified, and each of these wrapped in IPv6) only if the operator has named it in
PILOTHOUSE_OUTBOUND_ALLOW: a network (`10.1.0.0/16`), an address, or a name (`ci.example.internal`, `*.internal`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

_NAT64 = ip_network("64:ff9b::/96")
_KINDS = ("unspecified", "loopback", "link_local", "multicast", "private", "reserved")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\]")
EXAMPLE = "Write it like https://ci.example.com."


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be reached beside public addresses."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """Reads networks, addresses and names; whatever is no network or address is a name."""
        networks, names = [], set()
        for entry in filter(None, (entry.strip().lower() for entry in entries)):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                names.add(entry.rstrip("."))
        return cls(tuple(networks), frozenset(names))

    def has_name(self, host: str) -> bool:
        """Says whether a host is allowed by its name, wherever it leads."""
        name = host.lower().rstrip(".")
        parts = name.split(".")
        return name in self.names or any(f"*.{'.'.join(parts[at:])}" in self.names for at in range(1, len(parts)))

    def has_address(self, address: Address) -> bool:
        """Says whether an address lies in an allowed network."""
        return any(address.version == network.version and address in network for network in self.networks)


def why_not(text: str, allowed: Allowed) -> str:
    """Returns what an address is that may not be reached, such as "a private address"; nothing if it may."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return "no address"
    inside = list(_inside(address))
    if allowed.has_address(address) or all(allowed.has_address(one) for one in inside[1:] or [address]):
        return ""
    bad = next((one for one in inside if not one.is_global or one.is_multicast or _is_site_local(one)), None)
    if bad is None:
        return ""
    kind = next((kind for kind in _KINDS if getattr(bad, f"is_{kind}")), "special")
    return f"a{'n' if kind[0] in 'aeiou' else ''} {kind.replace('_', '-')} address"


def _inside(address: Address) -> Iterator[Address]:
    """The address, and each IPv4 address that an IPv6 one leads to."""
    yield address
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        yield from filter(None, (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())[1:]))


def _is_site_local(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address.is_site_local


def address_fault(url: object) -> str:
    """Returns what keeps a text from being an address that may be called, in words; nothing if it may.

    The text itself is never repeated: it may hold a password.
    """
    if not isinstance(url, str) or len(url) > 4_000 or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return "is not an address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https"):
        return "must begin with http:// or https://"
    if "@" in parts.netloc:
        return "must not hold a name or password: keep them in the connection's secret"
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.rstrip(":")
    return "" if _HOST.fullmatch(host) else "is not an address"


def is_link(url: str) -> bool:
    """Says whether a text may be shown as a link: engines tell us where their pages are."""
    return url.startswith(("https://", "http://"))


def link_in(found: object) -> str:
    """Returns what an engine has told as a link, nothing if it is none."""
    return found if isinstance(found, str) and is_link(found) else ""


def origin_of(url: str) -> tuple[str, str, int]:
    """Returns scheme, host and port of an address that has no fault."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def shown(url: str) -> str:
    """Returns an address as messages may show it: without anything that could be a credential."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
