"""One signed request to DynamoDB and its answer; the only module that knows the AWS SDK.

Region, endpoint, credentials and certificates are found by boto3's own rules (environment, profile,
container or instance role, SSO), and credentials refreshed by botocore. The requests themselves go
through one pool of urllib3: boto3's own way from a call to the socket costs two to four times the
CPU (benchmarks/dynamodb_client.py), for validations and conversions that this store does not need.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..errors import ConfigurationError, MissingDependencyError
from ._dynamodb_signing import Credentials, Signer

try:
    import urllib3
    from boto3.session import Session
    from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
    from botocore.httpsession import ProxyConfiguration, get_cert_path
    from botocore.session import get_session
    from botocore.utils import get_environ_proxies
    from urllib3.exceptions import (
        ConnectTimeoutError,
        EmptyPoolError,
        HTTPError,
        NameResolutionError,
        NewConnectionError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )
except ImportError as error:
    raise MissingDependencyError("boto3", "dynamodb") from error

__all__ = ["Reply", "Transport", "TransportError"]

_USER_AGENT = f"copilot-analytics/{version('copilot-analytics')}"


class TransportError(Exception):
    """No answer came, or none that can be read; whether the request took effect is unknown.

    Attributes:
        problem: what happened.
        remedy: what to do.
        retryable: whether the same request may succeed in a moment.
    """

    def __init__(self, problem: str, remedy: str, *, retryable: bool = True) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Reply:
    """What DynamoDB answered, also when it refused."""

    status: int
    body: bytes
    date: str | None
    """Its `Date` header: what the time is at AWS."""
    credentials: int
    """Which credentials the request was signed with; they are numbered as they are found."""


class Transport:
    """Sends requests to one endpoint; thread-safe. Constructing it touches no network.

    Args:
        region: as boto3's `region_name`; None leaves it to boto3's rules.
        endpoint_url: as boto3's; None leaves it to boto3's rules.
        connections: how many there are at most; who needs one more waits for it.

    Raises:
        ConfigurationError: there is no region, or it or the endpoint cannot be used.
    """

    def __init__(self, *, region: str | None, endpoint_url: str | None, connections: int) -> None:
        meta = _resolved(region, endpoint_url)
        self.region: str = meta.region_name
        endpoint: str = meta.endpoint_url
        parts = urlsplit(endpoint)
        host = parts.netloc.rpartition("@")[2]  # a password there would show in every message
        self.url: str = urlunsplit(parts._replace(netloc=host))
        self._target = self.url if parts.path else f"{self.url}/"
        self._signer = Signer(host, parts.path or "/", self.region)
        self._connections = connections
        self._clock_offset = dt.timedelta(0)
        self.renew()

    def renew(self) -> None:
        """Forget connections and credentials; for forked children and after use.

        A forked child must not write to its parent's connections, and what it has of its parent's
        locks may be held for ever.
        """
        self._lock = Lock()
        self._pool: urllib3.PoolManager | None = None
        self._credentials: Any = None
        self._credentials_number = 0

    def close(self) -> None:
        """Close the idle connections; a later request opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()

    def send(
        self, operation: str, body: bytes, *, connect: float, read: float, total: float
    ) -> Reply:
        """Send one request and wait for its answer, whatever it says.

        Args:
            operation: as AWS names it, such as `UpdateItem`.
            body: the request, in JSON.
            connect: how long to wait for a connection, in seconds.
            read: how long to wait for the answer, in seconds.
            total: how long to wait for both together, and before for a connection that is free.

        Raises:
            TransportError: there are no credentials, or no complete answer came.
        """
        pool = self._pool or self._open()
        credentials, number = self._frozen_credentials()
        now = dt.datetime.now(dt.UTC) + self._clock_offset
        headers = self._signer.headers(operation, body, credentials, now)
        headers["user-agent"] = _USER_AGENT
        try:
            response = pool.urlopen(
                "POST",
                self._target,
                body=body,
                headers=headers,
                pool_timeout=total,
                timeout=urllib3.Timeout(connect=connect, read=read, total=total),
                retries=False,
                redirect=False,
                decode_content=False,
            )
        except HTTPError as exc:
            raise self._told(exc, connect, read) from exc
        checksum = response.headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(response.data)):
            raise TransportError(
                f"the answer of {self.url} was damaged on its way", "check what lies in between"
            )
        return Reply(response.status, response.data, response.headers.get("date"), number)

    def refresh_credentials(self, used: int) -> None:
        """Look for credentials anew, unless that was done since the number `used` was found."""
        with self._lock:
            if self._credentials_number == used:
                self._credentials = None

    def correct_clock(self, date: str | None) -> bool:
        """Sign by the time of AWS's answer from now on; return whether it tells one."""
        try:
            theirs = email.utils.parsedate_to_datetime(date or "")
        except ValueError:
            return False
        self._clock_offset = theirs.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)
        return True

    def _frozen_credentials(self) -> tuple[Credentials, int]:
        try:
            with self._lock:
                if self._credentials is None:
                    # A session keeps what it has found, so a new one looks again.
                    self._credentials = Session(region_name=self.region).get_credentials()
                    self._credentials_number += 1
                found, number = self._credentials, self._credentials_number
            frozen: Credentials | None = found and found.get_frozen_credentials()
        except (BotoCoreError, ClientError, OSError, RuntimeError) as exc:
            # Roles are asked of STS, processes are run, and what they say is not for a log.
            raise TransportError(
                f"finding AWS credentials failed ({type(exc).__name__})",
                "check the profile, role or environment that they come from",
                retryable=False,
            ) from exc
        if not frozen:
            raise TransportError(
                "there are no AWS credentials",
                "give this host a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY",
                retryable=False,
            )
        return frozen, number

    def _open(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                options: dict[str, Any] = {"maxsize": self._connections, "block": True}
                if self.url.startswith("https:"):
                    bundle = get_session().get_config_variable("ca_bundle")
                    options["ca_certs"] = bundle or get_cert_path(True)
                proxies = ProxyConfiguration(get_environ_proxies(self.url))
                proxy = proxies.proxy_url_for(self.url)
                if proxy:
                    headers = proxies.proxy_headers_for(proxy)
                    self._pool = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
                else:
                    self._pool = urllib3.PoolManager(**options)
            return self._pool

    def _told(self, exc: HTTPError, connect: float, read: float) -> TransportError:
        remedy = f"check the region ({self.region}), the endpoint and the network of this host"
        match exc:
            case EmptyPoolError():
                return TransportError(
                    f"all {self._connections} connections to {self.url} are busy", remedy
                )
            case ReadTimeoutError():
                return TransportError(f"{self.url} gave no answer within {read:.1f} s", remedy)
            case NameResolutionError():
                return TransportError(f"the host of {self.url} is not known", remedy)
            case ConnectTimeoutError() if not isinstance(exc, NewConnectionError):
                return TransportError(f"no connection to {self.url} within {connect:.1f} s", remedy)
            case ProxyError():
                return TransportError(
                    f"the proxy to {self.url} does not answer",
                    "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
                )
            case SSLError():
                return TransportError(
                    f"TLS with {self.url} failed",
                    "check whether the endpoint speaks https, and set AWS_CA_BUNDLE where its "
                    "certificate is signed by an authority of your own",
                )
            case NewConnectionError():
                return TransportError(f"{self.url} cannot be connected to", remedy)
            case _:
                return TransportError(f"the connection to {self.url} broke", remedy)


def _resolved(region: str | None, endpoint_url: str | None) -> Any:
    """Return the `meta` of a client that boto3 makes of these: its region and endpoint."""
    try:
        # Given any credentials boto3 does not look for them, which may ask the network.
        session = Session("none", "none", region_name=region)
        client = session.client("dynamodb", endpoint_url=endpoint_url)
    except NoRegionError as exc:
        raise ConfigurationError(
            "region", region, "name the AWS region: ?region=… in the URL, or AWS_DEFAULT_REGION"
        ) from exc
    except BotoCoreError as exc:  # such as a profile that does not exist
        raise ConfigurationError(
            "region", region, f"boto3 cannot use the AWS configuration: {exc}"
        ) from exc
    except ValueError as exc:
        raise _not_an_endpoint(endpoint_url) from exc
    client.close()
    if urlsplit(client.meta.endpoint_url).scheme not in {"http", "https"}:
        raise _not_an_endpoint(client.meta.endpoint_url)
    return client.meta


def _not_an_endpoint(url: str | None) -> ConfigurationError:
    return ConfigurationError("endpoint", url, "give a URL such as http://localhost:8000")
