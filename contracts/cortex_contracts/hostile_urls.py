"""Addresses by which whoever lets others fetch pages was made to reach its own machine or network.

Each is a way that some guard has let pass: spellings of addresses, networks inside other networks, names that resolve
to addresses of this machine, and whatever confuses those that take an address apart.
"""

from collections.abc import Sequence
from typing import Final

_THIS_MACHINE: Final = (
    # Plain, and in the spellings that inet_aton knows.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0x0.0.1",
    "127.0.0.01",
    "0",
    "0.0.0.0",  # noqa: S104 - nobody binds to it
    "00.00.00.00",
    # Other digits and dots, which become the usual ones when a name is prepared.
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",  # noqa: RUF001
    "１２７.0.0.1",  # noqa: RUF001
    "%31%32%37.0.0.1",
    # Names of this machine.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "lоcalhost",  # noqa: RUF001 - the second letter is Cyrillic
    "ⓛocalhost",
    "ip6-localhost",
    # IPv6, and IPv4 inside of it.
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:0000:4136:e378:8000:63bf:80ff:fffe]",
    "[::1%25lo]",
    "[fe80::1%25lo]",
)

_ITS_NETWORKS: Final = (
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.0.1",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "168.63.129.16",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[2001:2::1]",
    "[5f00::1]",
)

_MISLEADING: Final = (
    "http://public.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@localhost:{port}/",
    "http://public.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@public.example/",
    "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example\\@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: public.example",
    "http://127.0.0.1\t:{port}/",
    " http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "dict://127.0.0.1:{port}/info",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "data:text/html,hello",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http://[::1",
    "http://[127.0.0.1]:{port}/",
    "http://127.0.0.1:{port}0000/",
    "http://",
    "",
)


def hostile_urls(port: int, /) -> Sequence[str]:
    """Returns them all, aimed at a port on which somebody listens who notices."""
    hosts = (*_THIS_MACHINE, *_ITS_NETWORKS)
    return (*(f"http://{host}:{port}/" for host in hosts), *(url.format(port=port) for url in _MISLEADING))
