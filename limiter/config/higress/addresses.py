"""Addresses and networks of `limit_by_per_ip`.

The gateway keeps both families in one tree of bits, so that `0.0.0.0/0` takes every client, also of IPv6; that much is
kept. Its other oddities are not: it reads `1.1.1.1/33` and `1.1.1.1/` as everything, `1..1.1` as an address, and lets
an IPv4 network take IPv6 addresses that begin with the same bits.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from limiter.settings import Network

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def networks(text: str) -> tuple[Network, ...]:
    """What a key takes. Bits of the host may be set.

    Raises:
        ValueError: it is neither an address nor a network.
    """
    address, slash, length = text.partition("/")
    found = ip_address(address)
    is_odd = "%" in address or (isinstance(found, IPv6Address) and found.ipv4_mapped is not None)
    if is_odd or (slash and not (length.isascii() and length.isdigit())):
        raise ValueError(f"{text!r} is neither an address nor a network")
    network = ip_network(f"{address}/{length}", strict=False) if slash else _alone(found)
    return EVERYTHING if network.prefixlen == 0 else (network,)


def _alone(address: IPv4Address | IPv6Address) -> Network:
    return ip_network(address)


class Taken[Owner]:
    """Networks and who had them first."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int, int], Owner] = {}
        """By version, length and the bits of that length."""
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}

    def add(self, networks: Iterable[Network], owner: Owner) -> None:
        for network in networks:
            self._lengths[network.version].add(network.prefixlen)
            self._owners.setdefault(_part(network, network.prefixlen), owner)

    def by(self, networks: Iterable[Network]) -> Owner | None:
        """Who has all of them; None when something is left."""
        owner = None
        for network in networks:
            lengths = (length for length in self._lengths[network.version] if length <= network.prefixlen)
            owner = next(filter(None, (self._owners.get(_part(network, length)) for length in lengths)), None)
            if owner is None:
                return None
        return owner


def _part(network: Network, length: int) -> tuple[int, int, int]:
    return network.version, length, int(network.network_address) >> (network.max_prefixlen - length)
