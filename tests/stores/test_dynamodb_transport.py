"""Region, endpoint, credentials, proxies and certificates are found as boto3 finds them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from copilot_analytics.errors import ConfigurationError, StoreUnavailableError
from copilot_analytics.stores._dynamodb_client import DynamoDBClient

from . import dynamodb_engines
from .faulty_proxy import Answer, FaultyProxy, Rates


@pytest.fixture(autouse=True)
def _isolated(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dynamodb_engines.isolate(monkeypatch)


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy("http://127.0.0.1:9") as proxy:
        proxy.rates = Rates({Answer(200, '{"Count": 3}'): 1.0})
        yield proxy


def query(endpoint: str | None = None, region: str | None = None) -> object:
    client = DynamoDBClient("the-table", endpoint_url=endpoint, region=region, attempts=1)
    try:
        return client.call("Query", {"TableName": "the-table"})
    finally:
        client.close()


def test_without_boto3_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["boto3"] = None
try:
    import copilot_analytics.stores._dynamodb_client
except ImportError as error:
    print(type(error).__name__, error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == (
        "MissingDependencyError the package 'boto3' is not installed: run pip install "
        "'copilot-analytics[dynamodb]'\n"
    )


def test_region_and_endpoint_are_boto3s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An argument wins over the environment, the environment over the profile."""
    config = tmp_path / "config"
    config.write_text("[profile elsewhere]\nregion = us-west-2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")

    given = DynamoDBClient("the-table", region="eu-north-1")
    of_environment = DynamoDBClient("the-table")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    of_profile = DynamoDBClient("the-table")

    assert given.region == "eu-north-1"
    assert of_environment.region == "eu-central-1"
    assert of_profile.url == "dynamodb://the-table?region=us-west-2"


def test_the_environment_may_name_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)

    assert query() == {"Count": 3}


def test_credentials_are_the_profiles(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """With the session token of temporary ones."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    stored = tmp_path / "credentials"
    stored.write_text(
        "[default]\naws_access_key_id = of-profile\naws_secret_access_key = s\n"
        "aws_session_token = of-session\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(stored))

    query(proxy.url)

    (seen,) = proxy.seen
    assert "Credential=of-profile/" in seen.headers["authorization"]
    assert "x-amz-security-token" in seen.headers["authorization"]
    assert seen.headers["x-amz-security-token"] == "of-session"


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(StoreUnavailableError, match="there are no AWS credentials; give this host"):
        query(proxy.url)

    assert not proxy.seen


def test_half_of_the_credentials_are_told(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(StoreUnavailableError, match=r"failed \(PartialCredentialsError\); check"):
        query(proxy.url)


def test_a_process_without_credentials_is_told(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """But not what it has printed."""
    use_profile(monkeypatch, tmp_path, "credential_process = sh -c 'echo secret >&2; exit 1'")

    with pytest.raises(StoreUnavailableError, match=r"failed \(CredentialRetrievalError\)") as told:
        query(proxy.url)

    assert "secret" not in str(told.value)

    use_profile(monkeypatch, tmp_path, f"credential_process = {tmp_path}/nothing")
    with pytest.raises(StoreUnavailableError, match=r"failed \(FileNotFoundError\)"):
        query(proxy.url)


def test_a_role_that_is_not_given_is_told(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy, tmp_path: Path
) -> None:
    role = "role_arn = arn:aws:iam::123456789012:role/copilot\nsource_profile = source"
    use_profile(monkeypatch, tmp_path, role)
    denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    proxy.script.append(Answer(403, denied, (("content-type", "text/xml"),)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)

    with pytest.raises(StoreUnavailableError, match=r"failed \(ClientError\); check the profile"):
        query(proxy.url)


def use_profile(monkeypatch: pytest.MonkeyPatch, folder: Path, lines: str) -> None:
    """Take credentials from a profile of these lines, whose source profile has some."""
    config = folder / "config"
    config.write_text(
        f"[profile used]\n{lines}\n"
        "[profile source]\naws_access_key_id = a\naws_secret_access_key = s\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "used")


def test_a_missing_region_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(ConfigurationError, match=r"\?region=… in the URL, or AWS_DEFAULT_REGION"):
        DynamoDBClient("the-table")


@pytest.mark.parametrize("region", ["eu central", "eu-central-1/", "eu-central-1.evil.example"])
def test_a_region_that_is_none_is_told_at_once(region: str) -> None:
    with pytest.raises(ConfigurationError, match="region cannot be"):
        DynamoDBClient("the-table", region=region)


@pytest.mark.parametrize("endpoint", ["localhost:8000", "http://", "ftp://localhost:8000"])
def test_an_endpoint_that_is_none_is_told_at_once(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="give a URL such as http://localhost:8000"):
        DynamoDBClient("the-table", endpoint_url=endpoint)


def test_a_missing_profile_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")

    with pytest.raises(ConfigurationError, match=r"AWS configuration: .*\(nowhere\)"):
        DynamoDBClient("the-table")


def test_a_password_in_the_endpoint_is_told_nowhere(proxy: FaultyProxy) -> None:
    client = DynamoDBClient("the-table", endpoint_url=proxy.url.replace("//", "//ada:pass@"))

    assert client.call("Query", {"TableName": "the-table"}) == {"Count": 3}
    assert client.url == f"dynamodb://the-table?region=eu-central-1&endpoint={proxy.url}"
    client.close()


def test_an_endpoint_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(StoreUnavailableError) as raised:
        query(f"http://127.0.0.1:{port}")

    assert raised.value.problem == f"http://127.0.0.1:{port} cannot be connected to"
    assert raised.value.remedy == (
        "check the region (eu-central-1), the endpoint and the network of this host"
    )


def test_a_host_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a region that AWS does not have."""

    def know_nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", know_nothing)

    with pytest.raises(StoreUnavailableError) as raised:
        query(region="eu-nowhere-1")

    assert raised.value.problem == (
        "the host of https://dynamodb.eu-nowhere-1.amazonaws.com is not known"
    )
    assert "the region (eu-nowhere-1)" in raised.value.remedy


def test_a_host_that_does_not_answer_is_told() -> None:
    """A full backlog drops further connections, as a firewall does."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            client = DynamoDBClient(
                "the-table",
                endpoint_url=f"http://127.0.0.1:{address[1]}",
                connect_timeout=0.1,
                attempts=1,
            )
            with pytest.raises(StoreUnavailableError, match=r"no connection to .* within 0\.1 s"):
                client.call("Query", {"TableName": "the-table"})
        finally:
            for one in waiting:
                one.close()


def test_requests_go_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy: FaultyProxy
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//ada:pass@"))

    assert query("http://dynamodb.example:8000") == {"Count": 3}

    headers = proxy.seen[0].headers
    assert headers["host"] == "dynamodb.example:8000"
    assert headers["proxy-authorization"] == "Basic YWRhOnBhc3M="


def test_a_proxy_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")

    with pytest.raises(StoreUnavailableError, match=r"the proxy to .* does not answer; check HTTP"):
        query("http://dynamodb.example:8000")


def test_certificates_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against AWS_CA_BUNDLE where there is one."""
    certificate = make_certificate(tmp_path)
    with https_server(certificate) as url:
        with pytest.raises(StoreUnavailableError, match=f"TLS with {url} failed; .*AWS_CA_BUNDLE"):
            query(url)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))

        assert query(url) == {"Count": 4}


class Four(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to standard error."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"Count": 4}')


@contextmanager
def https_server(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), Four)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> Path:
    """Write a key and a certificate of its own making for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
