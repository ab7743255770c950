"""Tokens in a file: made, listed and revoked by the command line, known here by their hashes.

The file holds no token, so that whoever reads it cannot come in; whoever can write it can, which is
why it must be its owner's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import Clock, SystemClock

from .access import Credentials, Principal, Role
from .authenticators import digest_of

if sys.platform != "win32":
    import fcntl

__all__ = ["StoredToken", "TokenFile", "create_token", "list_tokens", "revoke_token"]

_log = logging.getLogger("copilot_analytics.graphql")

_PREFIX = "ca_"
"""Lets scanners for leaked secrets, and people, see what it is."""

_RANDOM_BYTES = 32
_MAX_TOKENS = 1_000
_MAX_BYTES = 1024 * 1024
_MAX_ID_BYTES = 256
_LOCK_SECONDS = 10.0
_NAME = re.compile(r"[\w.@+-]{1,64}")


class StoredToken(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is kept of a token.

    Attributes:
        name: what it is called by whoever manages it; unique.
        role: what it may see.
        id: the id of its principal.
        digest: its SHA-256, in hexadecimal.
        created_at: epoch milliseconds.
        expires_at: epoch milliseconds; None: never.
    """

    name: str
    role: Role
    id: str
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created_at: int
    expires_at: int | None = None


class _Content(msgspec.Struct, frozen=True):
    version: int
    tokens: list[StoredToken]


_decoder = msgspec.json.Decoder(_Content)


class TokenFile:
    """An authenticator that knows the tokens of a file, by their hashes.

    The file is looked at again at most once a second, off the event loop, so that what is created
    or revoked counts within a second. Once it cannot be read, nobody is let in by it, which is
    logged.

    Args:
        path: the file, as `copilot-analytics token create` makes it.
        clock: tells the time; the machine's by default.
        recheck_seconds: how long the file's content is believed without a look.

    Raises:
        ConfigurationError: the file is not there, is none of these, or others may write it.
    """

    def __init__(
        self, path: str | Path, *, clock: Clock | None = None, recheck_seconds: float = 1.0
    ) -> None:
        self._path = Path(path)
        self._clock = clock or SystemClock()
        self._recheck_ms = recheck_seconds * 1000
        self._seen: tuple[int, int, int] | None = _signature(self._path)
        self._tokens = _read(self._path)
        self._looked_ms = self._clock.monotonic_ms()

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Return whose token it is; None if it is none of the file's."""
        given = credentials.bearer_token
        if given is None:
            return None
        digest = digest_of(given).hex()
        token = await self._find(digest)
        if token is None:
            return None

        async def still_valid() -> bool:
            return await self._find(digest) == token

        return Principal(token.id, token.role, token.expires_at, still_valid)

    async def _find(self, digest: str) -> StoredToken | None:
        now = self._clock.monotonic_ms()
        if now - self._looked_ms >= self._recheck_ms:
            self._looked_ms = now
            await asyncio.to_thread(self._look)
        found = None
        for token in self._tokens:
            # All of them, whichever it is: the time tells nothing.
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _look(self) -> None:
        try:
            signature = _signature(self._path)
            if signature == self._seen:
                return
            self._tokens, self._seen = _read(self._path), signature
        except ConfigurationError as exc:
            if self._tokens or self._seen is not None:
                _log.error("nobody is let in by the file of tokens: %s", exc)
            self._tokens, self._seen = (), None


def create_token(
    path: Path,
    *,
    name: str,
    role: Role,
    id: str | None = None,
    expires_at: int | None = None,
    now_ms: int,
) -> str:
    """Make a token, keep its hash in the file, and return it: nobody can show it again.

    Tokens that have expired are left out of the file from now on. Waits for other processes that
    change the file.

    Args:
        path: the file; made if it is not there.
        name: 1 to 64 letters, digits and `.`, `_`, `-`, `@`, `+`; not in use yet.
        role: what it may see.
        id: the principal's id, for a user the one that the copilot's sockets are tracked by; an
            admin's is the name by default.
        expires_at: epoch milliseconds; None: never.
        now_ms: the time, epoch milliseconds.

    Raises:
        ConfigurationError: an argument or the file cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "the name", name, "give 1 to 64 letters, digits and . _ - @ + without spaces"
        )
    if role == "user" and not id:
        raise ConfigurationError("--user", id, "give the id of the user whose token this is")
    if id is not None and not 0 < len(id.encode("utf-8", "surrogatepass")) <= _MAX_ID_BYTES:
        raise ConfigurationError("--user", f"{id[:20]}…", f"give 1 to {_MAX_ID_BYTES} bytes")
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    stored = StoredToken(
        name=name,
        role=role,
        id=id or name,
        digest=digest_of(token).hex(),
        created_at=now_ms,
        expires_at=expires_at,
    )
    with _locked(path):
        kept = [each for each in _read_or_none(path) if not _expired(each, now_ms)]
        if any(each.name == name for each in kept):
            raise ConfigurationError("the name", name, "revoke the token of that name first")
        if len(kept) >= _MAX_TOKENS:
            raise ConfigurationError(
                "the file", str(path), f"it holds {_MAX_TOKENS} tokens: revoke some"
            )
        _write(path, [*kept, stored])
    return token


def revoke_token(path: Path, name: str) -> bool:
    """Remove a token from the file; return whether it was there.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    with _locked(path):
        tokens = _read(path)
        kept = [each for each in tokens if each.name != name]
        if len(kept) == len(tokens):
            return False
        _write(path, kept)
        return True


def list_tokens(path: Path) -> tuple[StoredToken, ...]:
    """Return what is kept of the file's tokens, by name.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    return tuple(sorted(_read(path), key=lambda token: token.name))


def _expired(token: StoredToken, now_ms: int) -> bool:
    return token.expires_at is not None and token.expires_at <= now_ms


def _signature(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file does.

    Raises:
        ConfigurationError: it is not there.
    """
    try:
        stat = path.stat()
    except OSError as exc:
        raise _unusable(path, exc) from exc
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _unusable(path: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        "the file of tokens",
        str(path),
        f"{exc.strerror or type(exc).__name__}; copilot-analytics token create makes one",
    )


def _read(path: Path) -> tuple[StoredToken, ...]:
    """Return a file's tokens.

    Raises:
        ConfigurationError: it cannot be read, or believed.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise _unusable(path, exc) from exc
    if os.name == "posix" and mode & 0o022:
        raise ConfigurationError(
            "the file of tokens",
            str(path),
            f"others than its owner may write it, and let themselves in: chmod 600 {path}",
        )
    try:
        content = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = None
    if content is None or content.version != 1 or len(content.tokens) > _MAX_TOKENS:
        raise ConfigurationError(
            "the file of tokens",
            str(path),
            "it is none of version 1: make a new one with copilot-analytics token create",
        )
    return tuple(content.tokens)


def _read_or_none(path: Path) -> tuple[StoredToken, ...]:
    return _read(path) if path.exists() else ()


def _write(path: Path, tokens: list[StoredToken]) -> None:
    """Replace a file at once, for its owner alone.

    Raises:
        ConfigurationError: it cannot be written.
    """
    raw = msgspec.json.format(msgspec.json.encode(_Content(1, tokens)), indent=2) + b"\n"
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:  # mkstemp's are 0600
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as exc:
        raise _unusable(path, exc) from exc


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile.

    Raises:
        ConfigurationError: it cannot be locked, or another process holds it too long.
    """
    if sys.platform == "win32":
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise _unusable(path, exc) from exc
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        "the file of tokens", str(path), "another process is changing it; try again"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
