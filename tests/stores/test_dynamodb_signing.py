"""Signatures are those that botocore makes."""

from __future__ import annotations

import datetime as dt

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics.stores._dynamodb_signing import Signer

NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@settings(max_examples=60)
@given(
    access=ASCII,
    secret=ASCII,
    token=st.none() | ASCII,
    body=st.binary(max_size=200),
    host=st.sampled_from(["127.0.0.1:8000", "dynamodb.eu-central-1.amazonaws.com"]),
    path=st.sampled_from(["/", "/local/table"]),
    operation=st.sampled_from(["UpdateItem", "Query"]),
    days=st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
def test_signatures_are_those_of_botocore(
    access: str,
    secret: str,
    token: str | None,
    body: bytes,
    host: str,
    path: str,
    operation: str,
    days: list[int],
) -> None:
    """Also for the second request of a day, and after midnight: the key is kept for a day."""
    signer = Signer(host, path, "eu-central-1")
    credentials = ReadOnlyCredentials(access, secret, token)
    for day in days:
        now = NOW + dt.timedelta(days=day)

        ours = signer.headers(operation, body, credentials, now)

        scheme = "https" if "amazonaws" in host else "http"
        request = AWSRequest("POST", f"{scheme}://{host}{path}", data=body)
        for name in ("content-type", "x-amz-target"):
            request.headers[name] = ours[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(auth, "get_current_datetime", lambda now=now: now)
            auth.SigV4Auth(credentials, "dynamodb", "eu-central-1").add_auth(request)
        assert ours["authorization"] == request.headers["Authorization"]
        assert ours["x-amz-date"] == request.headers["X-Amz-Date"]
        assert ours.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


def test_other_credentials_have_another_key() -> None:
    """Refreshed credentials take effect within the day."""
    signer = Signer("localhost", "/", "eu-central-1")

    first = signer.headers("Query", b"", ReadOnlyCredentials("a", "one", None), NOW)
    second = signer.headers("Query", b"", ReadOnlyCredentials("a", "two", None), NOW)

    assert first["authorization"] != second["authorization"]
