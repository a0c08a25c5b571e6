"""Which addresses, ports and URLs a webhook may be sent to (server-side request forgery). Pure.

`ipaddress.is_global` is not enough: it passes NAT64 and 6to4 forms of metadata addresses and multicast, so the
deny list is spelled out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL: Final = 2_000
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z"
)
# inet_aton reads these as IPv4 ("0x7f.1", "2130706433", "017700000001"): a name is never made of them alone.
_NUMERIC_LABEL: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")

DENIED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(text), why)
    for text, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local, cloud metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments, cloud metadata"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved, broadcast"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local, cloud metadata"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        # global unicast is 2000::/3; what an overlay or a future registry makes of the rest is not the public internet
        ("::/3", "not global"),
        ("4000::/2", "not global"),
        ("8000::/1", "not global"),
    )
)
LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# What a marketplace may allow its endpoints: the house's own networks, never this machine or what vouches for it.
PRIVATE: Final[tuple[Network, ...]] = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# Clouds hand out credentials here: refused even within a network that a marketplace allows.
METADATA: Final[frozenset[Address]] = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254",
        "fd20:ce::254",
    )
)  # fmt: skip


def may_be_allowed(network: Network) -> bool:
    """Whether a marketplace may allow its own endpoints this network."""
    return any(
        network.version == private.version and network.subnet_of(private)  # type: ignore[arg-type]  # same version
        for private in PRIVATE
    )


class ForbiddenTarget(Exception):
    """A URL or address that the policy refuses; the text says which rule, for the endpoint's owner."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Where deliveries may go. `allowed` are networks (CIDR) that the deny list does not apply to.

    `marketplace` are those that a marketplace allows itself. An empty `ports` allows every port from 1 to 65535.
    """

    https_only: bool = True
    ports: frozenset[int] = frozenset({443, 8443})
    allowed: tuple[Network, ...] = ()
    marketplace: tuple[Network, ...] = ()

    def with_allowed(self, networks: Iterable[Network]) -> Policy:
        """What a marketplace allows itself on top, as far as it may."""
        return replace(self, marketplace=tuple(n for n in networks if may_be_allowed(n)))

    def vet(self, addresses: Sequence[str]) -> list[Address]:
        """All addresses of a name, parsed, if every one of them may be reached.

        One bad address refuses the name: a name with a public and a private address is how rebinding works.
        Raises ForbiddenTarget.
        """
        if not addresses:
            raise ForbiddenTarget("the name has no address")
        vetted: list[Address] = []
        for text in addresses:
            address = ip_address(text.partition("%")[0])
            if why := self.refusal(address):
                raise ForbiddenTarget(f"the address {address} is not allowed ({why})")
            vetted.append(address)
        return vetted

    def refusal(self, address: Address) -> str | None:
        """Why an address may not be reached; None where it may.

        IPv6 forms that embed an IPv4 address (mapped, NAT64, 6to4, Teredo) are refused whole: a receiver has no
        need of them, and what a translator on the way makes of them is not ours to know.
        """
        if _within(address, self.allowed):
            return None
        if address in METADATA:
            return "cloud metadata"
        if _within(address, self.marketplace):
            return None
        for network, why in DENIED:
            if address.version == network.version and address in network:
                return why
        return None


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart for sending. `host` is lower case ASCII; `authority` is the Host header's value."""

    url: str
    tls: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without its query: what logs and events may hold (queries carry tokens)."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path.partition('?')[0]}"

    @property
    def literal(self) -> Address | None:
        """The address where the host is one, else None (a name to resolve)."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def parse_target(url: str, policy: Policy) -> Target:
    """The target of a URL. Raises ForbiddenTarget, with the remedy, for whatever the policy does not allow."""
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c in '\\"<>^`{|}\x7f' for c in url):
        raise ForbiddenTarget(f"a URL is at most {MAX_URL} ASCII characters without spaces; encode the others (%20)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise ForbiddenTarget(f"not a URL: {e}") from None
    if parts.scheme not in (("https",) if policy.https_only else ("http", "https")):
        raise ForbiddenTarget("the URL must start with https://" + ("" if policy.https_only else " or http://"))
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ForbiddenTarget("the URL must not hold credentials; use a custom header")
    if parts.fragment or url.endswith("#"):
        raise ForbiddenTarget("the URL must not have a fragment (#...)")
    tls = parts.scheme == "https"
    port = port if port is not None else (443 if tls else 80)
    if port == 0 or (policy.ports and port not in policy.ports):
        allowed = ", ".join(map(str, sorted(policy.ports)))
        raise ForbiddenTarget(f"the port {port} is not allowed" + (f"; allowed: {allowed}" if allowed else ""))
    host = _host(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if (host == "localhost" or host.endswith(".localhost")) and policy.refusal(LOOPBACK[0][1]):
        raise ForbiddenTarget(f"{host} is this machine itself (loopback)")
    target = Target("", tls, host, port, path)
    if (literal := target.literal) is not None and (why := policy.refusal(literal)):
        raise ForbiddenTarget(f"the address {literal} is not allowed ({why})")
    return Target(f"{parts.scheme}://{target.authority}{path}", tls, host, port, path)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.netloc.startswith("["):
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise ForbiddenTarget(f"not an IPv6 address: {host!r}") from None
    try:
        return str(IPv4Address(host))
    except ValueError:
        pass
    if not _HOST.match(host):
        raise ForbiddenTarget("the URL needs a host name in ASCII (xn--... for others)")
    if _NUMERIC_LABEL.match(host.rpartition(".")[2]):
        raise ForbiddenTarget(f"{host!r} is a number, not a host name; write an address as 192.0.2.1")
    return host
