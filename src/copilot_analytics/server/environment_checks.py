"""What can be examined without the store: settings, extras, privacy, tokens and the spool."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..analytics import spool_settings
from ..config import AnalyticsConfig, unknown_variables
from ..errors import ConfigurationError
from ..periods import MAX_RANGE_DAYS
from ..spool.inspection import spools
from ..spool.spooling import SpoolSettings, root_of
from ..stores import Store
from .findings import Finding, note, ok, problem
from .telling import ago, count, megabytes

__all__ = [
    "check_extras",
    "check_privacy",
    "check_retention",
    "check_settings",
    "check_spool",
    "check_tokens",
]

_EXTRAS = {
    "starlette": ("starlette",),
    "websockets": ("websockets",),
    "graphql": ("strawberry", "aiocache"),
    "dynamodb": ("boto3",),
    "jwt": ("jwt",),
    "redis": ("redis",),
    "opentelemetry": ("opentelemetry",),
    "parquet": ("pyarrow",),
}
"""What the extras bring; the command line itself is `server`."""

_STUCK_MS = 15 * 60_000
"""How long events may wait in a spool whose process is gone, or is there and cannot write."""


def check_settings(config: AnalyticsConfig) -> Iterator[Finding]:
    """Look for variables that mean nothing, and for a recorder that is switched off."""
    version = importlib.metadata.version("copilot-analytics")
    yield ok("version", f"copilot-analytics {version} on Python {platform.python_version()}")
    unknown = unknown_variables()
    if unknown:
        yield note(
            "settings",
            f"no settings, and ignored: {', '.join(unknown)}",
            "correct or remove them; copilot-analytics config lists those that there are",
        )
    if not config.enabled:
        yield problem(
            "settings",
            "recording is switched off by COPILOT_ANALYTICS_ENABLED",
            "set it to 1, or remove it, and restart the application",
        )
    elif not unknown:
        yield ok("settings", "every setting can be used")


def check_extras(config: AnalyticsConfig) -> Iterator[Finding]:
    """Say which extras are installed, and whether one is needed that is not."""
    missing = {
        extra for extra, packages in _EXTRAS.items() if not all(find_spec(one) for one in packages)
    }
    if "dynamodb" in missing and config.store.startswith("dynamodb:"):
        yield problem(
            "extras",
            "the store is a DynamoDB table, and the extra dynamodb is not installed",
            "run pip install 'copilot-analytics[dynamodb]'",
        )
    elif {"starlette", "websockets"} <= missing:
        yield problem(
            "extras",
            "neither starlette nor websockets is installed, so no application can be watched",
            "run pip install 'copilot-analytics[starlette]' or '[websockets]' where it runs",
        )
    else:
        installed = ", ".join(extra for extra in _EXTRAS if extra not in missing)
        without = f"; without {', '.join(sorted(missing))}" if missing else ""
        yield ok("extras", f"installed: {installed}{without}")


def check_privacy(config: AnalyticsConfig) -> Iterator[Finding]:
    """Say what of users is stored."""
    if config.trust_client_identity:
        yield note(
            "privacy",
            "user ids that the clients' own frames claim are believed",
            "switch COPILOT_ANALYTICS_TRUST_CLIENT_IDENTITY off unless a server checks those ids",
        )
    if config.pseudonymise_key is None:
        yield note(
            "privacy",
            "user ids are stored as the application knows them",
            "set COPILOT_ANALYTICS_PSEUDONYMISE_KEY before recording to store keyed hashes; "
            "docs/privacy.md says when",
        )
    else:
        yield ok("privacy", "user ids are stored as keyed hashes")
    yield ok(
        "privacy",
        "of error messages nothing is stored"
        if config.error_text == "type_only"
        else "error messages are stored without the personal data that can be recognised",
    )


def check_retention(config: AnalyticsConfig) -> Iterator[Finding]:
    """Say how long things are kept, and what that is too short for."""
    events, rollups = config.event_retention_days, config.rollup_retention_days
    kept = f"events are kept {count(events)} days, rollups {count(rollups)}"
    if rollups < 2 * MAX_RANGE_DAYS:
        yield note(
            "retention",
            f"{kept}: ranges of more than {rollups // 2} days have nothing to be compared with",
            f"keep rollups for {2 * MAX_RANGE_DAYS} days (COPILOT_ANALYTICS_ROLLUP_RETENTION_DAYS)"
            ", unless that is too long for your purpose",
        )
    else:
        yield ok("retention", kept)


def check_tokens(file: Path | None, now_ms: int) -> Iterator[Finding]:
    """Look whether anybody can sign in by the file of tokens, where there is one."""
    if file is None:
        return
    from copilot_analytics_graphql.tokens import list_tokens

    try:
        tokens = list_tokens(file)
    except ConfigurationError as error:
        yield problem("tokens", f"{file} cannot be used", error.remedy)
        return
    good = [one for one in tokens if one.expires_at is None or one.expires_at > now_ms]
    if not good:
        yield problem(
            "tokens",
            f"{file} has {count(len(tokens))} tokens, none of which is good any more",
            f"run copilot-analytics token create NAME --tokens {file}",
        )
    else:
        yield ok("tokens", f"{count(len(good))} of {count(len(tokens))} in {file} are good")


def check_spool(config: AnalyticsConfig, store: Store, now_ms: int) -> Iterator[Finding]:
    """Look whether events can wait on this machine, and whether any has waited for too long."""
    settings = spool_settings(config, store)
    if settings is None:
        if store.remote:
            yield note(
                "spool",
                "events for a remote store wait in memory only, and are lost with the process",
                "set COPILOT_ANALYTICS_SPOOL=auto, on a system that has file locks",
            )
        else:
            yield ok("spool", "none is needed: the store is a file of this machine")
        return
    if settings.folder is None:
        yield problem(
            "spool",
            "there is no home folder to keep it in",
            "set COPILOT_ANALYTICS_SPOOL_DIR to a folder on a local disk",
        )
        return
    yield from _folder(settings, settings.folder)
    yield from _waiting(root_of(settings.folder, settings.store), now_ms)


def _folder(settings: SpoolSettings, folder: Path) -> Iterator[Finding]:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            "spool",
            f"{there} cannot be written to",
            "grant write access to it, or set COPILOT_ANALYTICS_SPOOL_DIR to another folder",
        )
        return
    free = shutil.disk_usage(there).free
    if free < settings.max_bytes:
        yield problem(
            "spool",
            f"the disk of {folder} has {megabytes(free)} left, and the spool may grow to "
            f"{megabytes(settings.max_bytes)}",
            "free some space, or lower COPILOT_ANALYTICS_SPOOL_MAX_BYTES",
        )
    else:
        yield ok("spool", f"{folder} can be written to, {megabytes(free)} are left on its disk")


def _waiting(root: Path, now_ms: int) -> Iterator[Finding]:
    try:
        found = [one for one in spools(root) if one.events]
    except OSError as error:
        yield problem(
            "spool",
            f"{error.filename or root} cannot be read ({error.strerror})",
            "run this as the user that the application runs as",
        )
        return
    for one in found:
        waiting = f"{count(one.events)} events ({megabytes(one.bytes)}) wait in {one.path}"
        if one.oldest is None or now_ms - one.oldest < _STUCK_MS:
            yield ok("spool", waiting)
        elif one.in_use:
            yield problem(
                "spool",
                f"{waiting}, since {ago(one.oldest, now_ms)}",
                "see what the store says below, and last_error in recorderHealth",
            )
        else:
            yield problem(
                "spool",
                f"{waiting}, left {ago(one.oldest, now_ms)} by a process that has ended",
                "start the application with this store and this spool: it delivers them",
            )
