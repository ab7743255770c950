"""Signs requests to DynamoDB: AWS Signature Version 4 for the one shape that they have.

botocore's signer takes ten times as long, because it signs any request of any service, and takes
its time from the machine: where that clock is wrong AWS refuses everything, while the answer's
own date would tell by how much. A test holds every signature against botocore's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Protocol

__all__ = ["Credentials", "Signer"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_CONTENT_TYPE = "application/x-amz-json-1.0"


class Credentials(Protocol):
    """What botocore's frozen credentials have."""

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...

    @property
    def token(self) -> str | None: ...


class Signer:
    """Makes the headers of signed requests to one host and path; thread-safe."""

    def __init__(self, host: str, path: str, region: str) -> None:
        self._host = host
        self._path = path
        self._region = region
        # Deriving the key takes as long as all the rest, and it lasts a day.
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def headers(
        self, operation: str, body: bytes, credentials: Credentials, now: dt.datetime
    ) -> dict[str, str]:
        """Return the headers with which AWS takes the body for the operation.

        Args:
            operation: as AWS names it, such as `UpdateItem`.
            body: the request, in JSON.
            credentials: whose.
            now: the time at AWS, which takes no request that is 15 minutes off.
        """
        stamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        day = stamp[:8]
        scope = f"{day}/{self._region}/dynamodb/aws4_request"
        headers = {
            "content-type": _CONTENT_TYPE,
            "host": self._host,
            "x-amz-date": stamp,
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(headers))
        lines = "\n".join(f"{name}:{headers[name]}" for name in sorted(headers))
        payload = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n{self._path}\n\n{lines}\n\n{names}\n{payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(
            self._signing_key(credentials.secret_key, day),
            f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(),
            "sha256",
        ).hex()
        # Spelt as urllib3 spells it, which would otherwise send a second one to a proxy.
        headers["Host"] = headers.pop("host")
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _signing_key(self, secret: str, day: str) -> bytes:
        made_of, key = self._key
        if made_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = ((secret, day), key)
        return key
