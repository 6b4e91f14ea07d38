"""What is not public is never connected to: the backend that opens connections is not even asked."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from httpcore2 import SOCKET_OPTION, AsyncMockStream, AsyncNetworkBackend, AsyncNetworkStream, ConnectError
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_adapters.web_pages import AllowedHost, GuardedNetwork, HttpPageFetcher
from cortex_adapters.web_pages.guarded_network import AddressRefusedError, HostNotFoundError, resolve
from cortex_adapters.web_pages.public_addresses import is_public
from cortex_contracts.hostile_urls import hostile_urls
from cortex_domain.errors import PageFetchError, WebFailure

PUBLIC = "93.184.215.14"
OWN = "93.184.215.15"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"


class RecordingBackend(AsyncNetworkBackend):
    """Answers with the same on every address, and remembers them."""

    def __init__(self, answers: Sequence[bytes] = (PAGE,), *, unreachable: Sequence[str] = ()) -> None:
        self.connected: list[tuple[str, int]] = []
        self._answers = list(answers)
        self._unreachable = unreachable

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self._unreachable:
            raise ConnectError("nobody there")
        return AsyncMockStream([self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]])


class Names:
    """A resolver that answers each name with one list of addresses after the other; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        lists = self._answers.get(host)
        if lists is None:
            raise HostNotFoundError(host)
        return lists.pop(0) if len(lists) > 1 else lists[0]


def _network(backend: RecordingBackend, names: Names, *, allowed: Sequence[AllowedHost] = ()) -> GuardedNetwork:
    return GuardedNetwork(backend=backend, resolver=names, own=lambda: {OWN}, allowed=allowed)


@pytest.mark.parametrize("url", hostile_urls(8080))
async def test_no_connection_is_opened(url: str) -> None:
    backend = RecordingBackend()
    network = GuardedNetwork(backend=backend, own=lambda: ())
    with pytest.raises(PageFetchError) as caught:
        await HttpPageFetcher(network=network).fetch(url)
    assert backend.connected == []
    assert caught.value.reason in (WebFailure.INVALID_URL, WebFailure.ADDRESS_REFUSED, WebFailure.HOST_NOT_FOUND)


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    backend = RecordingBackend()
    names = Names(rebinding_example=[[PUBLIC], ["127.0.0.1"]])
    page = await HttpPageFetcher(network=_network(backend, names)).fetch("http://rebinding.example/")
    assert page.text == "hi"
    assert backend.connected == [(PUBLIC, 80)]


async def test_a_name_that_changes_its_address_is_checked_again_after_a_redirect() -> None:
    to_itself = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    backend = RecordingBackend([to_itself, PAGE])
    names = Names(rebinding_example=[[PUBLIC], ["127.0.0.1"]])
    with pytest.raises(PageFetchError) as caught:
        await HttpPageFetcher(network=_network(backend, names)).fetch("http://rebinding.example/")
    assert caught.value.reason is WebFailure.ADDRESS_REFUSED
    assert caught.value.url == "http://rebinding.example/again"
    assert backend.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("other", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0", OWN])
async def test_one_address_that_is_not_public_is_enough_to_refuse(other: str) -> None:
    backend = RecordingBackend()
    network = _network(backend, Names(both_example=[[PUBLIC, other]]))
    with pytest.raises(AddressRefusedError):
        await network.connect_tcp("both.example", 443)
    assert backend.connected == []


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    backend = RecordingBackend(unreachable=["2606:4700::1"])
    await _network(backend, Names(two_example=[["2606:4700::1", PUBLIC]])).connect_tcp("two.example", 443)
    assert [host for host, _ in backend.connected] == ["2606:4700::1", PUBLIC]


@pytest.mark.parametrize("addresses", [[], [PUBLIC]])
async def test_a_host_that_does_not_answer_is_unreachable(addresses: Sequence[str]) -> None:
    network = _network(RecordingBackend(unreachable=[PUBLIC]), Names(silent_example=[addresses]))
    with pytest.raises(PageFetchError) as caught:
        await HttpPageFetcher(network=network).fetch("http://silent.example/")
    assert (caught.value.reason, caught.value.is_transient) == (WebFailure.UNREACHABLE, True)


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8000, 65535])
async def test_ports_of_other_services_are_refused(port: int) -> None:
    backend = RecordingBackend()
    with pytest.raises(AddressRefusedError):
        await _network(backend, Names(web_example=[[PUBLIC]])).connect_tcp("web.example", port)
    assert backend.connected == []


@pytest.mark.parametrize(
    ("host", "port", "is_reached"),
    [
        ("docs.internal", 8000, True),
        ("docs.internal", 22, True),
        ("wiki.internal", 8000, True),
        ("wiki.internal", 8001, False),
        ("other.internal", 80, False),
    ],
)
async def test_an_allowed_host_is_reached_wherever_it_is(host: str, port: int, is_reached: bool) -> None:
    backend = RecordingBackend()
    allowed = [AllowedHost(name="docs.internal"), AllowedHost(name="wiki.internal", port=8000)]
    local = [["10.0.0.7"]]
    names = Names(docs_internal=local, wiki_internal=local, other_internal=local)
    network = _network(backend, names, allowed=allowed)
    if is_reached:
        await network.connect_tcp(host, port)
    else:
        with pytest.raises(AddressRefusedError):
            await network.connect_tcp(host, port)
    assert bool(backend.connected) == is_reached


async def test_an_allowed_name_allows_no_redirect_to_its_neighbour() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.8/\r\nContent-Length: 0\r\n\r\n"
    backend = RecordingBackend([elsewhere])
    network = GuardedNetwork(
        backend=backend, resolver=resolve, own=lambda: (), allowed=[AllowedHost(name="10.0.0.7", port=80)]
    )
    with pytest.raises(PageFetchError) as caught:
        await HttpPageFetcher(network=network).fetch("http://10.0.0.7/")
    assert caught.value.url == "http://10.0.0.8/"
    assert backend.connected == [("10.0.0.7", 80)]


async def test_this_machines_own_addresses_are_refused_by_default() -> None:
    network = GuardedNetwork(resolver=Names(self_example=[["127.0.0.1"]]), backend=RecordingBackend())
    with pytest.raises(AddressRefusedError):
        await network.connect_tcp("self.example", 80)


async def test_a_name_that_no_resolver_can_be_asked_for_is_not_found() -> None:
    with pytest.raises(HostNotFoundError):
        await resolve("a" * 64 + ".example", 80)


@given(st.ip_addresses(v=4))
@example(IPv4Address("168.63.129.16"))
def test_nothing_that_python_calls_private_is_public(address: IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved
    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)
    assert is_public(IPv6Address(f"64:ff9b::{address}")) == is_public(address)
    assert not is_public(IPv6Address(f"::{address}"))
    assert not is_public(IPv6Address((0x2002 << 112) | (int(address) << 80)))


@given(st.ip_addresses(v=6))
def test_no_special_address_of_ipv6_is_public(address: IPv6Address) -> None:
    carries_ipv4 = address.ipv4_mapped is not None or address in IPv6Network("64:ff9b::/96")
    if is_public(address) and not carries_ipv4:
        assert address.is_global
        assert not any((address.is_site_local, address.is_multicast, address.is_reserved))


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:81c::200e"])
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
