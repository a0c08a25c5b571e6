"""Where a webhook may not go, in every costume that an address can wear."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from services.webhook.addresses import LOOPBACK, ForbiddenTarget, Policy, parse_target

PRODUCTION = Policy()
DEVELOPMENT = Policy(https_only=False, ports=frozenset(), allowed=LOOPBACK)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::",
        "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
        "ff02::1", "100::1", "3fff::1", "5f00::1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_denied(address: str) -> None:
    with pytest.raises(ForbiddenTarget):
        PRODUCTION.vet([address])


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_public_addresses_pass(address: str) -> None:
    assert PRODUCTION.vet([address]) == [ip_address(address)]


def test_one_bad_address_refuses_the_name() -> None:
    with pytest.raises(ForbiddenTarget):
        PRODUCTION.vet(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(ForbiddenTarget):
        PRODUCTION.vet([])


def test_allow_list_is_exact() -> None:
    policy = PRODUCTION.with_allowed([ip_network("10.1.0.0/16")])
    assert policy.vet(["10.1.2.3"])
    for other in ("10.2.0.1", "::ffff:10.1.2.3", "127.0.0.1"):
        with pytest.raises(ForbiddenTarget):
            policy.vet([other])


def test_a_marketplace_cannot_allow_what_vouches_for_the_machine() -> None:
    networks = ["127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "64:ff9b::/96"]
    policy = PRODUCTION.with_allowed(map(ip_network, networks))
    assert policy.vet(["100.64.0.1", "fd00::1"])
    for other in ("127.0.0.1", "169.254.169.254", "100.100.100.200", "fd00:ec2::254", "64:ff9b::a00:1"):
        with pytest.raises(ForbiddenTarget):
            policy.vet([other])
    # who runs the installation may
    house = replace(PRODUCTION, allowed=(ip_network("169.254.0.0/16"),))
    assert house.with_allowed([ip_network("10.0.0.0/8")]).vet(["169.254.169.254", "10.0.0.1"])


@pytest.mark.parametrize("address", ["200::1", "4000::1", "8000::1", "fe00::1", "1::1"])
def test_what_is_not_global_unicast_is_denied(address: str) -> None:
    with pytest.raises(ForbiddenTarget, match="not global"):
        PRODUCTION.vet([address])


def test_this_machine_by_its_name() -> None:
    for host in ("localhost", "localhost.", "LOCALHOST", "hooks.localhost"):
        with pytest.raises(ForbiddenTarget, match="loopback"):
            parse_target(f"https://{host}/hook", PRODUCTION)
        assert parse_target(f"https://{host}/hook", DEVELOPMENT)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook", "ftp://shop.example/", "//shop.example", "shop.example/hook", "https://", "https:///x",
        "https://user:pass@shop.example/", "https://user@shop.example/", "https://@shop.example/",
        "https://shop.example:22/", "https://shop.example:0/", "https://shop.example:99999/", "https://shop.example:x/",
        "https://shop.example/#part", "https://shop.example/#", "https://shop example/", "https://shop.example/a b",
        "https://shop.example/\r\nx: y", "https://shop.example/\x00", "https://bücher.example/", "https://shop.example\\@x/",
        "https://0x7f.1/", "https://2130706433/", "https://017700000001/", "https://127.1/", "https://1/", "https://0/",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
        "https://[fe80::1%25eth0]/", "https://[v1.x]/", "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/", "https://127.0.0.1./", "https://a..b/", "https://-a.example/", "https://x.0x10/",
        "https://" + "a" * 64 + ".example/", "https://shop.example/" + "a" * 2_000, "javascript:alert(1)", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenTarget):
        parse_target(url, PRODUCTION)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://shop.example", "shop.example", "/"),
        ("https://SHOP.example./hook?a=b%20c", "shop.example", "/hook?a=b%20c"),
        ("https://shop.example:443/x", "shop.example", "/x"),
        ("https://shop.example:8443/x", "shop.example:8443", "/x"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
        ("https://[2606:4700::1111]/", "[2606:4700::1111]", "/"),
        ("https://8.8.8.8/?q", "8.8.8.8", "/?q"),
    ],
)
def test_urls_that_pass(url: str, authority: str, path: str) -> None:
    target = parse_target(url, PRODUCTION)
    assert (target.authority, target.path) == (authority, path)
    assert parse_target(target.url, PRODUCTION) == target


def test_what_a_resolver_makes_of_numbers_is_vetted_too() -> None:
    """getaddrinfo takes these for loopback; the URL check refuses them, and the vetting would as well."""
    for text in ("0x7f.1", "2130706433", "0"):
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(text, 443, type=socket.SOCK_STREAM)}
        with pytest.raises(ForbiddenTarget):
            PRODUCTION.vet(sorted(found))


def test_development_allows_this_machine_only() -> None:
    assert parse_target("http://127.0.0.1:9999/hook", DEVELOPMENT).authority == "127.0.0.1:9999"
    assert DEVELOPMENT.vet(["127.0.0.1", "::1"])
    with pytest.raises(ForbiddenTarget):
        DEVELOPMENT.vet(["10.0.0.1"])


def test_logs_see_no_query() -> None:
    assert parse_target("https://shop.example/hook?token=s3cret", PRODUCTION).shown == "https://shop.example/hook"
