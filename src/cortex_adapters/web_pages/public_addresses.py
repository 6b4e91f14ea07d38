"""Tells addresses of the public internet from all others.

By the registries of special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry and
iana-ipv6-special-registry, read in November 2026), not by `ipaddress.is_global`, whose answer depends on the version of
Python. An IPv6 address that carries one of IPv4 is as public as that one, or refused where nobody needs it any more.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

_SPECIAL_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's address translation; Alibaba's metadata service
        "127.0.0.0/8",  # this machine
        "168.63.129.16/32",  # public by its number, and Azure's inner service to each of its machines
        "169.254.0.0/16",  # link-local; the metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_SPECIAL_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, withdrawn: carries any address of IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address, /) -> bool:
    """Tells whether an address belongs to a machine on the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    carried = _carried_ipv4(address)
    if carried is not None:
        return is_public(carried)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_IPV6)


def _carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Finds what a network without IPv4 translates, or a socket of both kinds shows."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped
