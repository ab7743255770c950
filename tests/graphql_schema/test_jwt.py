"""JSON Web Tokens: good ones are believed, hostile ones are not, and keys rotate."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Credentials, Principal
from copilot_analytics_graphql.jwt import JWTAuthenticator

NOW = 1_750_000_000
ISSUER, AUDIENCE = "https://id.example.com/pool", "copilot"
SECRET = "s" * 32
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "ada",
    "iat": NOW - 60,
    "exp": NOW + 3_540,
    "role": "user",
}


@cache
def rsa_key(number: int = 0, bits: int = 2_048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def published(key: Any, kid: str | None = "a", **more: Any) -> dict[str, Any]:
    """A key as its issuer publishes it."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    entry = algorithm.to_jwk(key.public_key(), as_dict=True)
    return {**entry, **({} if kid is None else {"kid": kid}), **more}


def jwks(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(entries)}


def authenticator(**options: Any) -> JWTAuthenticator:
    options = {"issuer": ISSUER, "audience": AUDIENCE, "clock": FakeClock(NOW * 1000), **options}
    if not {"jwks_url", "secret", "keys"} & set(options):
        options["keys"] = jwks(published(rsa_key()))
    return JWTAuthenticator(**options)


def token(
    claims: Mapping[str, Any] = CLAIMS, *, key: Any = None, kid: Any = "a", **header: Any
) -> str:
    algorithm = header.pop("algorithm", "RS256")
    headers = {**header, **({} if kid is None else {"kid": kid})}
    return jwt.encode(dict(claims), key or rsa_key(), algorithm, headers)


def base64url(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(header: bytes | str, payload: bytes | str) -> str:
    """A token with exactly these texts in it, signed by the trusted key."""
    signed = f"{base64url(header)}.{base64url(payload)}"
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    return f"{signed}.{base64url(algorithm.sign(signed.encode(), rsa_key()))}"


def with_claims(**claims: Any) -> str:
    """A well-signed token with other claims; `...` leaves one out."""
    payload = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return raw('{"alg": "RS256", "kid": "a"}', json.dumps(payload))


def with_header(**header: Any) -> str:
    return raw(json.dumps({"alg": "RS256", "kid": "a", **header}), json.dumps(CLAIMS))


def admit(authenticate: JWTAuthenticator, given: str) -> Principal | None:
    headers = [(b"authorization", b"Bearer " + given.encode("utf-8", "surrogatepass"))]
    return asyncio.run(authenticate(Credentials({"type": "http", "headers": headers})))


def test_a_good_token_is_believed() -> None:
    expected = Principal("ada", "user", expires_at=(NOW + 3_540 + 10) * 1000)

    assert admit(authenticator(), token()) == expected
    assert admit(authenticator(), with_claims()) == expected
    assert admit(authenticator(), token(typ="at+JWT")) == expected
    assert admit(authenticator(), with_claims(aud=["other", AUDIENCE], nbf=NOW)) == expected
    assert admit(authenticator(audience=["other", AUDIENCE]), token()) == expected
    assert admit(authenticator(), token({**CLAIMS, "role": "admin"})) == Principal(
        "ada", "admin", expires_at=expected.expires_at
    )


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "PS256"])
def test_other_algorithms_are_chosen_beforehand(algorithm: str) -> None:
    key: Any
    options: dict[str, Any]
    if algorithm == "HS256":
        key, options = SECRET, {"secret": SECRET}
    else:
        key = ec_key() if algorithm == "ES256" else rsa_key()
        options = {"keys": jwks(published(key)), "algorithms": [algorithm]}

    assert admit(authenticator(**options), token(key=key, algorithm=algorithm)) is not None
    assert admit(authenticator(), token(key=key, algorithm=algorithm)) is None


def confused() -> str:
    """The public key taken as the secret of an HMAC: the classic."""
    pem = (
        rsa_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = (
        f"{base64url(json.dumps({'alg': 'HS256', 'kid': 'a'}))}.{base64url(json.dumps(CLAIMS))}"
    )
    return f"{signed}.{base64url(hmac.digest(pem, signed.encode(), hashlib.sha256))}"


def _without(name: str) -> Callable[[], str]:
    return lambda: with_claims(**{name: ...})


def _null(name: str) -> Callable[[], str]:
    return lambda: with_claims(**{name: None})


def with_own_key_in_the_header() -> str:
    return token(key=rsa_key(1), jwk=published(rsa_key(1)), kid=None)


HOSTILE: Mapping[str, Callable[[], str]] = {
    # Signatures
    "alg none": lambda: raw('{"alg": "none"}', json.dumps(CLAIMS)),
    "alg NoNe": lambda: raw('{"alg": "NoNe", "kid": "a"}', json.dumps(CLAIMS)),
    "alg none, unsigned": lambda: (
        raw('{"alg": "none"}', json.dumps(CLAIMS)).rpartition(".")[0] + "."
    ),
    "alg missing": lambda: raw('{"kid": "a"}', json.dumps(CLAIMS)),
    "alg a list": lambda: raw('{"alg": ["RS256"], "kid": "a"}', json.dumps(CLAIMS)),
    "alg in lower case": lambda: raw('{"alg": "rs256", "kid": "a"}', json.dumps(CLAIMS)),
    "HS256 with the public key": confused,
    "HS256 with an empty key": lambda: token(key="x" * 32, algorithm="HS256"),
    "another algorithm of the key": lambda: token(algorithm="RS512"),
    "another key": lambda: token(key=rsa_key(1)),
    "another key of another type": lambda: token(key=ec_key(), algorithm="ES256"),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "signature cut": lambda: token()[:-10],
    "signature of another token": lambda: (
        ".".join(with_claims(sub="root").split(".")[:2]) + "." + token().split(".")[2]
    ),
    "payload changed": lambda: ".".join(
        [(parts := token().split("."))[0], base64url(json.dumps({**CLAIMS, "role": "admin"})),
         parts[2]]
    ),
    # Headers
    "own key by jwk": with_own_key_in_the_header,
    "own keys by jku": lambda: token(key=rsa_key(1), jku="https://evil.example.com/keys"),
    "own certificate by x5u": lambda: token(key=rsa_key(1), x5u="https://evil.example.com/x"),
    "own certificate by x5c": lambda: token(key=rsa_key(1), x5c=["MIIB"]),
    "kid unknown": lambda: token(kid="b"),
    "kid a path": lambda: token(kid="../../../../dev/null"),
    "kid SQL": lambda: token(kid="a' UNION SELECT 'secret"),
    "kid a number": lambda: with_header(kid=5),
    "kid a list": lambda: with_header(kid=["a"]),
    "crit": lambda: with_header(crit=["exp"]),
    "b64 false": lambda: with_header(b64=False, crit=["b64"]),
    "typ of a logout token": lambda: with_header(typ="logout+jwt"),
    "typ a number": lambda: with_header(typ=5),
    "names twice in the header": lambda: raw(
        '{"alg": "none", "alg": "RS256", "kid": "a"}', json.dumps(CLAIMS)
    ),
    # Shapes
    "empty": lambda: " ",
    "one part": lambda: "a",
    "two parts": lambda: "a.b",
    "five parts (encrypted)": lambda: "a.b.c.d.e",
    "base64 instead of base64url": lambda: token().replace(".", ".+", 1),
    "padding": lambda: token() + "==",
    "line break": lambda: token().replace(".", ".\n", 1),
    "not ASCII": lambda: token() + "é",
    "length that base64 has not": lambda: "abcde." + token().partition(".")[2],
    "huge": lambda: with_claims(junk="x" * 20_000),
    "header a list": lambda: raw("[]", json.dumps(CLAIMS)),
    "header a text": lambda: raw('"RS256"', json.dumps(CLAIMS)),
    "header no JSON": lambda: raw("{", json.dumps(CLAIMS)),
    "header not UTF-8": lambda: raw(b"\xff\xfe", json.dumps(CLAIMS)),
    "deep header": lambda: raw('{"a":' * 1_100, json.dumps(CLAIMS)),
    "deep payload": lambda: raw('{"alg": "RS256"}', "[" * 4_000),
    "payload a list": lambda: raw('{"alg": "RS256", "kid": "a"}', "[1]"),
    "payload null": lambda: raw('{"alg": "RS256", "kid": "a"}', "null"),
    "payload not UTF-8": lambda: raw('{"alg": "RS256", "kid": "a"}', b"\xff"),
    "a number too long to read": lambda: raw(
        '{"alg": "RS256", "kid": "a"}', '{"exp": ' + "9" * 4_500 + "}"
    ),
    "claims twice": lambda: raw(
        '{"alg": "RS256", "kid": "a"}', json.dumps(CLAIMS)[:-1] + ', "role": "admin"}'
    ),
    "nested claims twice": lambda: raw(
        '{"alg": "RS256", "kid": "a"}', json.dumps(CLAIMS)[:-1] + ', "x": {"a": 1, "a": 2}}'
    ),
    # Claims
    **{f"no {name}": _without(name) for name in CLAIMS},
    **{f"{name} null": _null(name) for name in CLAIMS},
    "another issuer": lambda: with_claims(iss="https://evil.example.com"),
    "issuer with a slash": lambda: with_claims(iss=ISSUER + "/"),
    "issuer a list": lambda: with_claims(iss=[ISSUER]),
    "another audience": lambda: with_claims(aud="billing"),
    "no audience in the list": lambda: with_claims(aud=[]),
    "audience an object": lambda: with_claims(aud={AUDIENCE: True}),
    "audience with a number": lambda: with_claims(aud=[AUDIENCE, 5]),
    "subject empty": lambda: with_claims(sub=""),
    "subject a number": lambda: with_claims(sub=7),
    "subject huge": lambda: with_claims(sub="x" * 257),
    "subject a lone surrogate": lambda: with_claims(sub="\ud800"),
    "expired": lambda: with_claims(exp=NOW - 10),
    "expired long ago": lambda: with_claims(iat=1, exp=2),
    "exp a text": lambda: with_claims(exp=str(NOW + 600)),
    "exp true": lambda: with_claims(exp=True),
    "exp infinite": lambda: raw(
        '{"alg": "RS256", "kid": "a"}', json.dumps({**CLAIMS, "exp": float("inf")})
    ),
    "exp beyond numbers": lambda: raw(
        '{"alg": "RS256", "kid": "a"}', json.dumps(CLAIMS).replace(str(NOW + 3_540), "1e999")
    ),
    "exp in milliseconds": lambda: with_claims(exp=(NOW + 600) * 1000),
    "exp before iat": lambda: with_claims(iat=NOW + 5, exp=NOW + 5),
    "a life too long": lambda: with_claims(exp=NOW + 90_000),
    "issued in the future": lambda: with_claims(iat=NOW + 60),
    "iat a text": lambda: with_claims(iat=str(NOW)),
    "iat negative": lambda: with_claims(iat=-5),
    "not yet valid": lambda: with_claims(nbf=NOW + 60),
    "nbf a text": lambda: with_claims(nbf="now"),
    "role unknown": lambda: with_claims(role="superuser"),
    "role in upper case": lambda: with_claims(role="ADMIN"),
    "role with a space": lambda: with_claims(role="admin "),
    "role of several": lambda: with_claims(role="admin,user"),
    "role true": lambda: with_claims(role=True),
    "role an object": lambda: with_claims(role={"admin": True}),
    "roles within a list": lambda: with_claims(role=[["admin"]]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tokens_are_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    hostile = HOSTILE[name]()

    with caplog.at_level(logging.DEBUG):
        assert admit(authenticator(), hostile) is None

    assert not [part for part in hostile.split(".") if len(part) > 9 and part in caplog.text]
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


@pytest.mark.parametrize("name", ["another key", "alg none", "exp a text", "deep header"])
def test_hostile_tokens_are_401_at_the_endpoint(endpoint: Any, name: str) -> None:
    hostile = HOSTILE[name]()

    async def ask() -> None:
        async with endpoint(events=False, authenticate=authenticator()) as served:
            answers = [
                await served.post(token=each, json={"query": "{ __typename }"})
                for each in (token(), hostile)
            ]
            assert [answer.status_code for answer in answers] == [200, 401]
            init = {"type": "connection_init", "payload": served.bearer(hostile)}
            assert await served.close_code(init, token=None) == 4403

    asyncio.run(ask())


def test_a_believed_token_ends_all_the_same() -> None:
    clock = FakeClock(NOW * 1000)
    authenticate = authenticator(clock=clock, leeway=0)
    brief = with_claims(exp=NOW + 30)

    assert admit(authenticate, brief) is not None
    clock.advance(29_999)
    assert admit(authenticate, brief) is not None
    clock.advance(1)
    assert admit(authenticate, brief) is None


def test_a_small_rsa_key_is_refused() -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        signed = token(key=rsa_key(bits=1_024))

    assert admit(authenticator(keys=jwks(published(rsa_key(bits=1_024)))), signed) is None


def test_cognito_s_groups_are_roles() -> None:
    authenticate = authenticator(
        role_claim="cognito:groups", roles={"analytics-admins": "admin"}, default_role="user",
        id_claim="email",
    )  # fmt: skip

    def role(**claims: Any) -> Any:
        principal = admit(authenticate, with_claims(email="ada@example.com", **claims))
        assert principal is None or principal.id == "ada@example.com"
        return principal and principal.role

    assert role(**{"cognito:groups": ["other", "analytics-admins"]}) == "admin"
    assert role(**{"cognito:groups": ["other"]}) == "user"
    assert role() == "user"
    assert admit(authenticate, with_claims()) is None


def test_roles_are_found_within_other_claims() -> None:
    authenticate = authenticator(role_claim=("realm_access", "roles"))

    assert admit(authenticate, with_claims(realm_access={"roles": ["user", "admin"]})) == Principal(
        "ada", "admin", expires_at=(NOW + 3_550) * 1000
    )
    assert admit(authenticate, with_claims(realm_access=["roles"])) is None
    assert admit(authenticate, with_claims(realm_access={"roles": []})) is None


def test_a_token_without_kid_needs_that_there_is_one_key() -> None:
    one = jwks(published(rsa_key(), kid=None))
    two = jwks(published(rsa_key()), published(rsa_key(1), kid="b"))

    assert admit(authenticator(keys=one), token(kid=None)) is not None
    assert admit(authenticator(keys=two), token(kid=None)) is None
    assert admit(authenticator(keys=two), token(kid="a")) is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"issuer": ""}, "issuer"),
        ({"audience": []}, "audience"),
        ({"audience": [""]}, "audience"),
        ({"secret": SECRET, "jwks_url": "https://example.com"}, "exactly one"),
        ({"secret": "short"}, "5 bytes long"),
        ({"secret": SECRET, "algorithms": ["HS512"]}, "at least 64"),
        ({"secret": SECRET, "algorithms": ["RS256"]}, "choose from HS256"),
        ({"algorithms": ["RS256", "HS256"]}, "choose from"),
        ({"algorithms": ["none"]}, "choose from"),
        ({"algorithms": []}, "choose from"),
        ({"algorithms": "RS256"}, "choose from"),
        ({"jwks_url": "http://id.example.com/keys"}, "https"),
        ({"jwks_url": "file:///etc/keys"}, "https"),
        ({"keys": {}}, "JSON Web Key Set"),
        ({"keys": {"keys": []}}, "without a key for RS256"),
        ({"keys": {"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "RS256"}]}}, "without a key"),
        ({"keys": {"keys": [5, {"kty": "RSA"}, {"kty": "EC"}]}}, "without a key"),
        ({"roles": {"boss": "superuser"}}, "admin"),
        ({"default_role": "guest"}, "admin"),
        ({"leeway": 3600}, "leeway"),
        ({"max_lifetime": 0}, "max_lifetime"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        authenticator(**options)

    assert SECRET not in str(caught.value)


def test_keys_that_should_not_be_published_are_not_used() -> None:
    private = RSAAlgorithm.to_jwk(rsa_key(), as_dict=True)
    encrypting = published(rsa_key(), use="enc")
    other = published(rsa_key(), alg="RS512")

    for entry in (private, encrypting, other):
        with pytest.raises(ConfigurationError, match="without a key"):
            authenticator(keys=jwks(entry))


class Issuer:
    """Publishes keys over HTTP."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/keys"
        self.answer: bytes = b""
        self.status = 200
        self.asked = 0

    def publish(self, *entries: dict[str, Any]) -> None:
        self.answer, self.status = json.dumps(jwks(*entries)).encode(), 200


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(served.answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Issuer(server)
        served.publish(published(rsa_key()))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


async def admits(authenticate: JWTAuthenticator, given: str) -> bool:
    headers = [(b"authorization", b"Bearer " + given.encode())]
    return await authenticate(Credentials({"type": "http", "headers": headers})) is not None


def test_keys_are_fetched_once_for_all_who_wait_and_kept(issuer: Issuer) -> None:
    async def ask() -> None:
        authenticate = authenticator(jwks_url=issuer.url)
        assert all(await asyncio.gather(*(admits(authenticate, token()) for _ in range(20))))
        assert await admits(authenticate, token())

    asyncio.run(ask())

    assert issuer.asked == 1


def test_keys_rotate(issuer: Issuer) -> None:
    old, new = token(), token(key=rsa_key(1), kid="b")

    async def ask() -> None:
        clock = FakeClock(NOW * 1000)
        authenticate = authenticator(jwks_url=issuer.url, clock=clock)
        assert await admits(authenticate, old)
        assert not await admits(authenticate, new)
        issuer.publish(published(rsa_key()), published(rsa_key(1), kid="b"))
        # Within 10 s nobody makes it ask again, however many keys he invents.
        assert not any([await admits(authenticate, token(kid=f"k{n}")) for n in range(5)])
        assert issuer.asked == 1
        clock.advance(10_001)
        assert await admits(authenticate, new)
        assert await admits(authenticate, old)
        issuer.publish(published(rsa_key(1), kid="b"))
        clock.advance(600_001)
        assert await admits(authenticate, old), "known ones hold while they are fetched again"
        assert not await admits(authenticate, token(kid="c")), "who names another waits for it"
        assert await admits(authenticate, old), "nor is it checked again within a minute"
        assert issuer.asked == 3
        clock.advance(60_001)
        assert not await admits(authenticate, old)
        assert await admits(authenticate, new)

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b""),
        (302, b""),
        (200, b"nonsense"),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": 5}'),
        (200, b"[" * 10_000),
        (200, b" " * 300_000),
    ],
    ids=["500", "redirect", "no JSON", "list", "no key", "no keys", "deep", "large"],
)
def test_an_issuer_in_trouble_lets_nobody_in_and_nobody_out(
    issuer: Issuer, status: int, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> None:
        clock = FakeClock(NOW * 1000)
        authenticate = authenticator(jwks_url=issuer.url, clock=clock, max_lifetime=1e9, leeway=0)
        long_lived = with_claims(exp=NOW + 1_000_000)
        assert await admits(authenticate, long_lived)
        issuer.status, issuer.answer = status, answer
        clock.advance(3_600_000)
        assert await admits(authenticate, long_lived)
        assert not await admits(authenticate, token(kid="b")), "this waits for the fetch"
        assert "those known are kept" in caplog.text
        clock.advance(3_600_000)
        assert await admits(authenticate, long_lived)
        clock.advance(24 * 3_600_000)
        assert not await admits(authenticate, long_lived), "a day later it is too old"

        anew = authenticator(jwks_url=issuer.url)
        assert not await admits(anew, token())

    asyncio.run(ask())

    assert "nobody is let in by them" in caplog.text


def test_an_issuer_that_is_not_there_lets_nobody_in() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port

    assert admit(authenticator(jwks_url=f"http://127.0.0.1:{port}/"), token()) is None
