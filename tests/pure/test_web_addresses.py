"""Which addresses may be called, and which may not be saved."""

from __future__ import annotations

import pytest

from activities.web.addresses import Allowed, address_fault, shown, why_not

NOTHING = Allowed()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.255.255.254", "a loopback address"),
        ("10.1.2.3", "a private address"),
        ("172.16.0.1", "a private address"),
        ("192.168.1.1", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("100.64.0.1", "a special address"),
        ("0.0.0.0", "an unspecified address"),
        ("224.0.0.1", "a multicast address"),
        ("255.255.255.255", "a private address"),
        ("240.0.0.1", "a private address"),
        ("::1", "a loopback address"),
        ("::", "an unspecified address"),
        ("fe80::1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("fc00::1", "a private address"),
        ("fec0::1", "a private address"),
        ("ff02::1", "a multicast address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("::ffff:10.0.0.1", "a private address"),
        ("::ffff:169.254.169.254", "a link-local address"),
        ("64:ff9b::10.0.0.1", "a private address"),
        ("2002:7f00:1::", "a loopback address"),
        ("fd00:ec2::254", "a private address"),
        ("elsewhere", "no address"),
    ],
)
def test_what_is_not_public_may_not_be_called(address: str, kind: str) -> None:
    assert why_not(address, NOTHING)
    if kind.startswith("no ") or "private" not in kind:
        assert why_not(address, NOTHING).split()[0] in {"a", "an", "no"}


@pytest.mark.parametrize("address", ["140.82.112.3", "2606:4700::1111", "8.8.8.8"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert why_not(address, NOTHING) == ""


def test_the_operator_may_allow_networks_addresses_and_names() -> None:
    allowed = Allowed.of(["10.1.0.0/16", "127.0.0.1", "CI.example.internal", "*.corp.example", ""])
    assert why_not("10.1.255.1", allowed) == ""
    assert why_not("10.2.0.1", allowed) == "a private address"
    assert why_not("127.0.0.1", allowed) == ""
    assert why_not("::ffff:10.1.0.1", allowed) == ""
    assert why_not("::1", allowed) == "a loopback address"
    assert allowed.has_name("ci.example.internal.")
    assert allowed.has_name("a.b.corp.example")
    assert not allowed.has_name("corp.example")
    assert not allowed.has_name("evilcorp.example")


@pytest.mark.parametrize(
    "url", ["https://ci.example.com", "http://ci.example.com:8080/jenkins/", "https://[2606:4700::1]:8443/x?y=1"]
)
def test_an_address_to_call(url: str) -> None:
    assert address_fault(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ci.example.com",
        "file:///etc/passwd",
        "//ci.example.com",
        "ci.example.com",
        "https://user:password@ci.example.com",
        "https://user@ci.example.com",
        "https://",
        "https:///path",
        "https://ci.example.com:99999",
        "https://ci.example.com:port",
        "https://ci .example.com",
        "https://ci.example.com\\@evil.example",
        "https://ci.example.com\r\nHost: x",
        "https://[::1",
        "https://ci.example.com,evil.example",
        None,
        7,
    ],
)
def test_no_address_to_call(url: object) -> None:
    assert address_fault(url)


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://u:p@ci.example.com:8443/job/1?token=x#y") == "https://ci.example.com:8443/job/1"
