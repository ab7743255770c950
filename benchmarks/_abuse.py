"""What attackers send, each with the answer that it has to get: for the tests, and `abuse.py`.

Requests ask for `application/graphql-response+json`, whose status tells how it went.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["REQUESTS", "SOCKETS", "Conversation", "Request"]

JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        name: what is tried.
        status: what it has to come to.
        code: the error's `extensions.code`.
        body: its body.
        token: whose it is, or a token itself.
        method: its method.
        query_string: what follows the path.
        headers: its headers.
    """

    name: str
    status: int
    code: str
    body: bytes = b""
    token: str = "user"
    method: str = "POST"
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})


@dataclass(frozen=True)
class Conversation:
    """One socket's messages.

    Attributes:
        name: what is tried.
        code: the close code, or the `extensions.code` of the error that answers.
        messages: what is sent, after a `connection_init` if `greets`.
        greets: whether that comes first.
        repeated: how often the messages are sent.
    """

    name: str
    code: int | str
    messages: tuple[str | bytes, ...]
    greets: bool = True
    repeated: int = 1


def _ask(
    name: str,
    query: str,
    code: str = "LIMIT_EXCEEDED",
    status: int = 400,
    *,
    variables: object = None,
    token: str = "admin",
) -> Request:
    body = json.dumps({"query": query, "variables": variables}).encode()
    return Request(name, status, code, body, token)


def _body(name: str, body: bytes | str, status: int = 400, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    code = {400: "BAD_REQUEST", 413: "TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}[status]
    raw = body if isinstance(body, bytes) else body.encode()
    return Request(name, status, code, raw, "admin", headers={"content-type": JSON, **named})


def _nested(opening: str, closing: str, levels: int) -> str:
    return opening * levels + closing * levels


def _fan(levels: int, uses: int, on: str, inner: str) -> str:
    """Return fragments of which each uses the next several times."""
    spread = " ".join(
        f"fragment F{n} on {on} {{ {' '.join([f'...F{n + 1}'] * uses)} }}" for n in range(levels)
    )
    return f"{{ ...F0 }} {spread} fragment F{levels} on {on} {{ {inner} }}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


_DEEP = base64.urlsafe_b64encode(b'{"a":' * 1_000).decode().rstrip("=")
_ADMIN = {"iss": "x", "aud": "x", "sub": "root", "role": "admin", "iat": 1, "exp": 9_999_999_999}
_TYPENAME = '{"query": "{ __typename }"}'
_ROWS = "edges { node { name executions successes failures successRate averageMs } }"
_VALIDATION = "GRAPHQL_VALIDATION_FAILED"

REQUESTS: tuple[Request, ...] = (
    # What a text can do
    _ask("deep", "{ dashboard " + _nested("{ summary", "}", 60) + "}"),
    _ask("deep in arguments", "{ commandStats(name: " + _nested("[", "]", 400) + ") { name } }"),
    _ask("deep in types", "query($a: " + _nested("[", "]", 400) + ") { __typename }"),
    _ask("wide", "{ " + " ".join(f"a{n}: __typename" for n in range(500)) + " }"),
    _ask("wide without aliases", "{ dashboard { " + "range " * 400 + "} }"),
    _ask("one name again and again", "{ " + "__typename " * 300 + "}"),
    _ask(
        "aliased questions",
        "{ " + " ".join(f"a{n}: dashboard {{ range {{ days }} }}" for n in range(51)) + " }",
    ),
    _ask(
        "lists in lists",
        "query($n: Int!) {"
        + " ".join(f"a{n}: popularCommands(first: $n) {{ {_ROWS} }}" for n in range(9))
        + "}",
        variables={"n": 1_000},
    ),
    _ask(
        "hours of a year, again and again",
        "{ "
        + " ".join(
            f"a{n}: timeSeries(metric: MESSAGES, interval: HOUR, "
            'range: {start: "2024-06-01", end: "2025-06-01"}) { at values }'
            for n in range(3)
        )
        + " }",
    ),
    _ask("fragments that fan out", _fan(30, 2, "Query", "__typename")),
    _ask("fragments that fan out far", _fan(15, 3, "Query", "dashboard { range { days } }")),
    _ask(
        "a cycle of fragments",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        _VALIDATION,
    ),
    _ask("a fragment of itself", "{ ...A } fragment A on Query { ...A }", _VALIDATION),
    _ask(
        "a chain of unused fragments",
        "{ __typename } "
        + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(59)),
    ),
    _ask("directives", "{ __typename " + "@skip(if: false) " * 200 + "}"),
    _ask("unknown directives", "{ __typename " + "@a " * 200 + "}"),
    _ask("operations", " ".join(f"query Q{n} {{ __typename }}" for n in range(60))),
    _ask("comments", "{ __typename }" + "#" * 40_000),
    _ask("tokens", "{ __typename }" + " a" * 5_000),
    _ask("a long name", "{ " + "a" * 15_000 + " }", _VALIDATION),
    _ask("unknown fields", "{ " + " ".join(f"dashbord{n}" for n in range(290)) + " }", _VALIDATION),
    _ask("unknown fields of a user", "{ dashbord }", _VALIDATION, token="user"),
    _ask(
        "conflicting fields",
        "{ " + " ".join(f"x: dashboard(top: {n}) {{ range {{ days }} }}" for n in range(10)) + " }",
        _VALIDATION,
    ),
    _ask(
        "unused variables",
        "query(" + " ".join(f"$v{n}: Int" for n in range(200)) + ") { __typename }",
        _VALIDATION,
    ),
    _ask(
        "a number too large",
        "{ popularCommands(first: 99999999999999999999) { totalCount } }",
        _VALIDATION,
    ),
    _ask(
        "a mutation of a user",
        'mutation { eraseUser(userId: "bob") { events } }',
        "FORBIDDEN",
        403,
        token="user",
    ),
    _body("no such operation", '{"query": "query A { __typename }", "operationName": "B"}'),
    _ask("no GraphQL", "SELECT * FROM events", _VALIDATION),
    _ask("a NUL", "{ __typename \0 }", _VALIDATION),
    # What variables can do
    _ask(
        "a wide variable",
        "query($r: DateRange) { dashboard(range: $r) { range { days } } }",
        _VALIDATION,
        variables={"r": {f"k{n}": n for n in range(4_000)}},
    ),
    _ask(
        "a long list for one value",
        "query($r: [Int]) { __typename @skip(if: $r) }",
        _VALIDATION,
        variables={"r": list(range(9_000))},
    ),
    _body(
        "a deep variable",
        '{"query": "query($r: DateRange) { dashboard(range: $r) { range { days } } }", '
        '"variables": {"r": ' + _nested('{"start":', "}", 6_000) + "}}",
    ),
    _ask(
        "a long text in a variable",
        "query($n: Int!) { popularCommands(first: $n) { totalCount } }",
        _VALIDATION,
        variables={"n": "9" * 50_000},
    ),
    # What bodies can do
    _body("nothing", ""),
    _body("a scalar", "5"),
    _body("null", "null"),
    _body("a text", '"{ __typename }"'),
    _body("a list", "[]"),
    _body("a batch", f"[{', '.join([_TYPENAME] * 100)}]"),
    _body("open brackets", "[" * 60_000),
    _body("open braces", '{"a":' * 12_000),
    _body("half", _TYPENAME[:-5]),
    _body("no UTF-8", b'{"query": "\xff\xfe"}'),
    _body("UTF-16", _TYPENAME.encode("utf-16")),
    _body("a lone surrogate", '{"query": "\\ud800"}'),
    _body("NaN", '{"query": "{ __typename }", "variables": {"a": NaN}}'),
    _body("a number of 60,000 digits", '{"query": ' + "9" * 60_000 + "}"),
    _body("query a list", '{"query": ["{ __typename }"]}'),
    _body("variables a list", '{"query": "{ __typename }", "variables": [1]}'),
    _body("compressed, unannounced", gzip.compress(_TYPENAME.encode())),
    _body("compressed", gzip.compress(b" " * 10_000_000), 415, content_encoding="gzip"),
    _body(
        "another charset",
        _TYPENAME.encode("latin-1"),
        415,
        content_type="application/json; charset=latin-1",
    ),
    _body("large", '{"query": "{ __typename }' + " " * 1_000_000 + '"}', 413),
    # What other pages can do
    *(
        _body(f"as {content_type or 'nothing'}", _TYPENAME, 415, content_type=content_type)
        for content_type in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "",
        )
    ),
    Request(
        "a mutation by GET",
        405,
        "METHOD_NOT_ALLOWED",
        b"",
        "admin",
        "GET",
        "query=mutation{eraseUser(userId:%22bob%22){events}}",
        {},
    ),
    Request(
        "a GET by another page",
        403,
        "FORBIDDEN",
        b"",
        "admin",
        "GET",
        "query={__typename}",
        {"sec-fetch-site": "cross-site"},
    ),
    # What users may not
    _ask("the schema", "{ __schema { types { name } } }", "FORBIDDEN", 403, token="user"),
    _ask("a type", '{ __type(name: "Query") { name } }', "FORBIDDEN", 403, token="user"),
    _ask(
        "the schema in a fragment",
        "{ ...A } fragment A on Query { a: __schema { queryType { name } } }",
        "FORBIDDEN",
        403,
        token="user",
    ),
    _ask(
        "everybody's dashboard", "{ dashboard { range { days } } }", "FORBIDDEN", 403, token="user"
    ),
    _ask(
        "another user",
        '{ userActivity(userId: "bob") { messages } }',
        "FORBIDDEN",
        403,
        token="user",
    ),
    _ask(
        "another user by an alias",
        '{ ada: userActivity(userId: "bob") { messages } }',
        "FORBIDDEN",
        403,
        token="user",
    ),
    _ask(
        "another user by a variable",
        "query($u: ID) { userActivity(userId: $u) { messages } }",
        "FORBIDDEN",
        403,
        variables={"u": "bob"},
        token="user",
    ),
    _ask(
        "another user's events",
        '{ events(filter: {userId: "bob"}) { edges { cursor } } }',
        "FORBIDDEN",
        403,
        token="user",
    ),
    _ask(
        "another user's conversation",
        '{ conversation(id: "c", userId: "bob") { __typename } }',
        "FORBIDDEN",
        403,
        token="user",
    ),
    _ask(
        "a cursor of one's own making",
        '{ events(after: "eyJhIjoxfQ.AAAA") { edges { cursor } } }',
        "BAD_USER_INPUT",
        400,
        token="user",
    ),
    _ask(
        "a long cursor",
        '{ events(after: "' + "A" * 15_000 + '") { edges { cursor } } }',
        "BAD_USER_INPUT",
        400,
        token="user",
    ),
    # What tokens can do
    *(
        Request(f"a token: {name}", 401, "UNAUTHENTICATED", _TYPENAME.encode(), token)
        for name, token in {
            "short": "x",
            "guessed": "x" * 43,
            "huge": "x" * 30_000,
            "unsigned": f"{_part({'alg': 'none'})}.{_part(_ADMIN)}.",
            "signed by nobody": f"{_part({'alg': 'HS256'})}.{_part(_ADMIN)}.{_part(1)}",
            "of deep JSON": _DEEP + ".a.a",
        }.items()
    ),
)


def _subscribe(id: Any = "1", query: Any = "{ __typename }", **more: Any) -> str:
    return json.dumps({"type": "subscribe", "id": id, "payload": {"query": query, **more}})


_INIT = '{"type": "connection_init"}'
Role = Literal["admin", "user"]

_AT_ONCE: dict[str, str | bytes] = {
    "a number": "5",
    "null": "null",
    "a text": '"a"',
    "a list": "[]",
    "nothing": "",
    "true": "true",
    "bytes": b"\x00\xff",
    "no JSON": "{",
    "an empty object": "{}",
    "deep JSON": '{"type":' * 5_000,
    "an unknown type": '{"type": "start"}',
}
_LATER: dict[str, str] = {
    "a number": "5",
    "null": "null",
    "a list": "[" * 30_000,
    "no id": '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
    "an id that is none": _subscribe(["a"]),
    "a long id": _subscribe("x" * 10_000),
    "a message of the server": '{"type": "connection_ack"}',
}

SOCKETS: tuple[Conversation, ...] = (
    *(
        Conversation(f"{name} before the greeting", 4400, (message,), greets=False)
        for name, message in _AT_ONCE.items()
    ),
    *(
        Conversation(f"{name} after the greeting", 4400, (message,))
        for name, message in _LATER.items()
    ),
    Conversation("a message too large", 1009, ("x" * 70_000,)),
    Conversation("a subscription without a greeting", 4401, (_subscribe(),), greets=False),
    Conversation("two greetings", 4429, (_INIT,)),
    Conversation(
        "a payload that is none", "BAD_REQUEST", ('{"type": "subscribe", "id": "1", "payload": 5}',)
    ),
    Conversation("a query that is none", "BAD_REQUEST", (_subscribe(query=5),)),
    Conversation("variables that are none", "BAD_REQUEST", (_subscribe(variables=[1]),)),
    Conversation("a deep query", "LIMIT_EXCEEDED", (_subscribe(query=_nested("{ a", "}", 60)),)),
    Conversation(
        "fragments that fan out",
        "LIMIT_EXCEEDED",
        (_subscribe(query=_fan(30, 2, "Query", "__typename")),),
    ),
    Conversation(
        "a mutation",
        "METHOD_NOT_ALLOWED",
        (_subscribe(query='mutation { eraseUser(userId: "bob") { events } }'),),
    ),
    Conversation("a flood of pings", 4400, (*['{"type": "ping"}'] * 3_000, "no more")),
    Conversation(
        "a flood of completes", 4400, (*['{"type": "complete", "id": "1"}'] * 3_000, "no more")
    ),
)
