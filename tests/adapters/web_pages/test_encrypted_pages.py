"""The connection goes to the address that was checked; the certificate is that of the name that was asked for."""

import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer

from cortex_adapters.web_pages import AllowedHost, GuardedNetwork, HttpPageFetcher
from cortex_domain.errors import PageFetchError, WebFailure

CERTIFIED = "secure.example"


def certificate(directory: Path) -> Path:
    """Writes a certificate of one name, and its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CERTIFIED)])
    now = datetime.now(UTC)
    names: Sequence[x509.GeneralName] = [x509.DNSName(CERTIFIED), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "certificate.pem"
    path.write_bytes(encoded_key + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate_file: Path) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        server.expect_request("/").respond_with_data("secret", content_type="text/plain")
        yield server


async def _here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def _fetcher(host: str, trusted: Path | None) -> HttpPageFetcher:
    context = ssl.create_default_context(cafile=trusted) if trusted else None
    network = GuardedNetwork(allowed=[AllowedHost(name=host)], resolver=_here)
    return HttpPageFetcher(network=network, ssl_context=context)


async def test_a_name_is_certified_whatever_its_address(secure: HTTPServer, certificate_file: Path) -> None:
    fetcher = _fetcher(CERTIFIED, certificate_file)
    for host in (CERTIFIED, CERTIFIED.upper(), CERTIFIED + "."):
        assert (await fetcher.fetch(f"https://{host}:{secure.port}/")).text == "secret"
    assert secure.log[0][0].headers["Host"] == f"{CERTIFIED}:{secure.port}"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_another_name_is_not_certified(secure: HTTPServer, certificate_file: Path, host: str) -> None:
    with pytest.raises(PageFetchError) as caught:
        await _fetcher(host, certificate_file).fetch(f"https://{host}:{secure.port}/")
    assert caught.value.reason is WebFailure.UNREACHABLE
    assert secure.log == []


async def test_whom_nobody_knows_is_not_trusted(secure: HTTPServer) -> None:
    with pytest.raises(PageFetchError, match="certificate"):
        await _fetcher(CERTIFIED, None).fetch(f"https://{CERTIFIED}:{secure.port}/")
    assert secure.log == []
