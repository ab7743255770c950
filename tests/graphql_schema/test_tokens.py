"""The file of tokens: what is in it lets in, what was revoked does not, and it holds no secret."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.testing import FakeClock
from copilot_analytics_graphql import Credentials, Principal, TokenFile, any_of, static_token
from copilot_analytics_graphql.tokens import create_token, list_tokens, revoke_token

NOW_MS = 1_750_000_000_000
needs_modes = pytest.mark.skipif(os.name != "posix", reason="permission bits")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def create(path: Path, name: str = "ci", **options: Any) -> str:
    options = {"role": "admin", "now_ms": NOW_MS, **options}
    return create_token(path, name=name, **options)


async def admit(authenticate: Any, token: str) -> Principal | None:
    headers = [(b"authorization", b"Bearer " + token.encode())]
    principal: Principal | None = await authenticate(
        Credentials({"type": "http", "headers": headers})
    )
    return principal


def test_a_token_lets_in_whom_it_was_made_for(path: Path) -> None:
    admin = create(path)
    user = create(path, "of-ada", role="user", id="ada", expires_at=NOW_MS + 1)

    async def ask() -> None:
        file = TokenFile(path)
        assert await admit(file, admin) == Principal("ci", "admin")
        assert await admit(file, user) == Principal("ada", "user", expires_at=NOW_MS + 1)
        for other in ("ca_", admin[:-1], admin + "x", admin.upper(), "x" * 46):
            assert await admit(file, other) is None
        assert await file(Credentials({"type": "http", "headers": []})) is None

    asyncio.run(ask())


def test_tokens_are_long_random_and_only_their_hashes_are_kept(path: Path) -> None:
    made = {create(path, f"t{number}") for number in range(20)}

    assert len(made) == 20
    assert all(token.startswith("ca_") and len(token) == 46 for token in made)
    text = path.read_text()
    assert not [token for token in made if token in text or token[3:] in text]
    assert {len(token.digest) for token in list_tokens(path)} == {64}


@needs_modes
def test_the_file_is_its_owner_s_alone(path: Path) -> None:
    previous = os.umask(0)
    try:
        create(path)
        create(path, "other")
    finally:
        os.umask(previous)

    assert path.stat().st_mode & 0o777 == 0o600


def test_what_changes_in_the_file_counts_at_the_next_look(path: Path) -> None:
    first = create(path, "first")

    async def ask() -> None:
        clock = FakeClock(NOW_MS)
        file = TokenFile(path, clock=clock)
        second = create(path, "second")
        assert await admit(file, second) is None, "it has not looked again yet"
        clock.advance(1_000)
        assert await admit(file, second) == Principal("second", "admin")

        principal = await admit(file, first)
        assert principal is not None
        assert principal.still_valid is not None
        assert await principal.still_valid()
        assert revoke_token(path, "first")
        clock.advance(1_000)
        assert not await principal.still_valid()
        assert await admit(file, first) is None
        assert await admit(file, second) is not None

    asyncio.run(ask())


def test_revoking_what_is_not_there_changes_nothing(path: Path) -> None:
    create(path)
    before = path.read_bytes()

    assert not revoke_token(path, "other")
    assert path.read_bytes() == before


def test_names_are_unique_until_they_have_expired(path: Path) -> None:
    create(path, expires_at=NOW_MS + 10)
    with pytest.raises(ConfigurationError, match="revoke the token of that name first"):
        create(path, now_ms=NOW_MS + 9)

    create(path, now_ms=NOW_MS + 10)

    assert [token.created_at for token in list_tokens(path)] == [NOW_MS + 10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "1 to 64 letters"),
        ({"name": "a b"}, "1 to 64 letters"),
        ({"name": "x" * 65}, "1 to 64 letters"),
        ({"name": "a\n"}, "1 to 64 letters"),
        ({"role": "user"}, "--user"),
        ({"role": "user", "id": ""}, "--user"),
        ({"role": "user", "id": "x" * 300}, "256 bytes"),
    ],
)
def test_what_cannot_be_made_is_refused(path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        create(path, **options)

    assert not path.exists()


STORED = {
    "name": "ci",
    "role": "admin",
    "id": "ci",
    "digest": "a" * 64,
    "createdAt": 1,
    "expiresAt": None,
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[" * 10_000,
        b"\xff",
        b"{}",
        b"[]",
        json.dumps({"version": 2, "tokens": []}).encode(),
        json.dumps({"version": 1, "tokens": [{**STORED, "role": "superuser"}]}).encode(),
        json.dumps({"version": 1, "tokens": [{**STORED, "digest": "é" * 64}]}).encode(),
        json.dumps({"version": 1, "tokens": [{**STORED, "digest": "a"}]}).encode(),
        json.dumps({"version": 1, "tokens": [{**STORED, "expiresAt": "never"}]}).encode(),
        json.dumps({"version": 1, "tokens": [STORED] * 1_001}).encode(),
        b" " * 2_000_000,
    ],
)  # fmt: skip
def test_a_file_that_is_none_lets_nobody_in(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    token = create(path)

    clock = FakeClock(NOW_MS)
    file = TokenFile(path, clock=clock)
    path.write_bytes(content)
    for _ in range(2):
        clock.advance(1_000)
        assert asyncio.run(admit(file, token)) is None

    assert caplog.text.count("nobody is let in by the file of tokens") == 1
    with pytest.raises(ConfigurationError, match="none of version 1"):
        TokenFile(path)
    with pytest.raises(ConfigurationError, match="none of version 1"):
        create(path, "other")


@needs_modes
def test_a_file_that_others_may_write_is_not_believed(path: Path) -> None:
    create(path)
    path.chmod(0o620)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        TokenFile(path)


def test_a_file_that_goes_lets_nobody_in_until_it_is_back(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = create(path)
    with pytest.raises(ConfigurationError, match="token create makes one"):
        TokenFile(path.with_name("other.json"))

    clock = FakeClock(NOW_MS)
    file = TokenFile(path, clock=clock)
    content = path.read_bytes()
    path.unlink()
    clock.advance(1_000)
    assert asyncio.run(admit(file, token)) is None
    path.touch(mode=0o600)
    path.write_bytes(content)
    clock.advance(1_000)
    assert asyncio.run(admit(file, token)) is not None

    assert token not in caplog.text


def test_several_processes_lose_no_token(path: Path) -> None:
    def make(number: int) -> None:
        create(path, f"t{number}")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(token.name for token in list_tokens(path)) == sorted(f"t{n}" for n in range(12))
    assert {each.name for each in path.parent.iterdir()} <= {path.name, f".{path.name}.lock"}


def test_a_full_file_takes_no_more(path: Path) -> None:
    tokens = [{**STORED, "name": f"t{number}"} for number in range(1_000)]
    path.touch(mode=0o600)
    path.write_text(json.dumps({"version": 1, "tokens": tokens}))

    with pytest.raises(ConfigurationError, match="1000 tokens: revoke some"):
        create(path)


def test_several_authenticators_are_asked_in_turn(path: Path) -> None:
    stored, static = create(path), "s" * 32

    async def fail(credentials: Credentials) -> Principal | None:
        raise LookupError

    async def ask() -> None:
        both = any_of(static_token(static, id="one"), TokenFile(path))
        assert await admit(both, static) == Principal("one", "admin")
        assert await admit(both, stored) == Principal("ci", "admin")
        assert await admit(both, "x" * 40) is None

        failing = any_of(static_token(static), fail)
        assert await admit(failing, static) is not None
        with pytest.raises(LookupError):
            await admit(failing, stored)

    asyncio.run(ask())

    for given in ((), (None,)):
        with pytest.raises(ConfigurationError, match="at least one"):
            any_of(*given)  # pyright: ignore
