"""`Analytics`: what an application makes, once, and hands to a plugin."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from . import _live
from ._futures import in_daemon, result, result_blocking
from ._guard import Guard
from ._measurements import Measurements
from .admission import Admission
from .config import AnalyticsConfig
from .errors import ConfigurationError
from .identity import Pseudonymiser, ReconnectDetector
from .ids import new_id
from .metrics import Metrics
from .protocols import FrameAdapter, adapter_named
from .recorder import Recorder
from .service import AnalyticsService
from .spool.directories import SUPPORTED
from .spool.spooling import SpoolSettings
from .stores import Store, open_store
from .tracking import ConnectionTracker, OpenConnections, TrackingOptions
from .typing import Clock, SystemClock
from .writer import Writer

__all__ = ["Analytics", "spool_settings"]


class Analytics:
    """Everything an application needs, over one store.

    Making one touches neither disk nor network and starts no thread; that comes with the first
    event. It belongs to no event loop, and may be used from several, and outside of any. Close it
    with `aclose()` (the Starlette plugin does so with the application's lifespan), with `close()`,
    or by `async with`; until then what was recorded in the last second may only be in memory. In
    front of a remote store, events wait on disk instead, see docs/spool.md.

    >>> analytics = Analytics("memory://")
    >>> analytics.service.track_command_execution("ada", "add-supplier", True, 120.0)
    >>> analytics.recorder.flush_blocking()
    True
    >>> analytics.close()
    0

    Args:
        store: a store's URL, such as `sqlite:///copilot-analytics.db`, which wins over the
            setting; or a store, which stays the caller's to close.
        config: the settings; None takes those of the environment.
        clock: where times come from.

    Attributes:
        config: the settings.
        clock: where times come from.
        guard: keeps failures of analytics away from the host.
        store: where events and rollups are.
        recorder: takes observations.
        service: tracks what no socket shows, and answers the questions.
        metrics: what analytics measures about itself, for who publishes it.

    Raises:
        ConfigurationError: a setting, the URL or the adapter's name cannot be used.
    """

    def __init__(
        self,
        store: str | Store | None = None,
        *,
        config: AnalyticsConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        if store is not None and not isinstance(store, (str, Store)):
            raise ConfigurationError("store", store, "give a store's URL, or a store")
        if not isinstance(store, str):
            self.config = config or AnalyticsConfig.from_env()
        elif config is None:
            self.config = AnalyticsConfig.from_env(store=store)
        else:
            self.config = replace(config, store=store)
        self.clock: Clock = clock or SystemClock()
        self.guard = Guard(strict=self.config.strict)
        self._owns_store = not isinstance(store, Store)
        self.store: Store = (
            store if isinstance(store, Store) else _open_store(self.config, self.clock)
        )
        self._adapter = adapter_named(self.config.adapter)
        self._pseudonymiser = Pseudonymiser(self.config.pseudonymise_key)
        self._reconnects = ReconnectDetector()
        self._open_connections = OpenConnections()
        self._tracking = TrackingOptions(trust_client_identity=self.config.trust_client_identity)
        # Of frames that told nothing and should have.
        self._skipped: Counter[str] = Counter()
        measurements = Measurements(self.guard)
        self.recorder = Recorder(
            self.store,
            Admission(
                self.clock,
                Writer(),
                error_text=self.config.error_text,
                extra_keys=self.config.extra_keys,
            ),
            clock=self.clock,
            guard=self.guard,
            max_pending=self.config.max_pending,
            batch_size=self.config.batch_size,
            flush_interval=self.config.flush_interval,
            enabled=self.config.enabled,
            skipped=self._skipped,
            owns_store=self._owns_store,
            spool=spool_settings(self.config, self.store),
            measurements=measurements,
        )
        self.service = AnalyticsService(
            self.store,
            self.recorder,
            clock=self.clock,
            guard=self.guard,
            stored_user_id=self._pseudonymiser.stored,
            open_connections=self._open_connections,
            rollup_retention_days=self.config.rollup_retention_days,
            measurements=measurements,
        )
        self.metrics = Metrics(
            measurements,
            store=self.store.url,
            health=self.recorder.health,
            bytes_written=lambda: self.store.bytes_written,
        )
        _live.register(self)

    @classmethod
    def from_env(cls, **overrides: object) -> Self:
        """Return one with the settings of the environment, see `AnalyticsConfig.from_env`.

        Raises:
            ConfigurationError: a setting cannot be used; the error names its variable.
        """
        return cls(config=AnalyticsConfig.from_env(**overrides))

    def stored_user_id(self, user_id: str) -> str:
        """Return the id under which a user is stored: a pseudonym, where that is configured."""
        return self._pseudonymiser.stored(user_id)

    def open_connection(
        self,
        *,
        resolve_user: Callable[[], str | None],
        adapter: FrameAdapter | str | None = None,
        connection_id: str | None = None,
        clock: Clock | None = None,
    ) -> ConnectionTracker:
        """Return a tracker for one socket; whoever sees its frames drives it.

        Args:
            resolve_user: returns the user's id as the application knows them, or None for nobody
                signed in; called at most once, when the socket is accepted.
            adapter: reads the frames, by name or itself; None means the setting's.
            connection_id: the socket's id; None makes one.
            clock: where the socket's times come from; None means the analytics' own.

        Raises:
            ConfigurationError: there is no such adapter.
        """
        if isinstance(adapter, str):
            adapter = adapter_named(adapter)
        return ConnectionTracker(
            self._adapter if adapter is None else adapter,
            self.recorder.record,
            clock=clock or self.clock,
            connection_id=connection_id or new_id(),
            resolve_user=lambda: self._resolved(resolve_user),
            stored_user_id=self.stored_user_id,
            options=self._tracking,
            reconnects=self._reconnects,
            open_connections=self._open_connections,
            guard=self.guard,
            skipped=self._skipped,
        )

    def _resolved(self, resolve_user: Callable[[], str | None]) -> str | None:
        user_id = resolve_user()
        return self.stored_user_id(user_id) if user_id else None

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything recorded before the call is stored; see `Recorder.flush`."""
        return await self.recorder.flush(timeout)

    async def aclose(self, timeout: float = 5.0) -> int:
        """Take nothing any more, store what is pending, and release the store and the threads.

        What publishes the metrics is closed last, and so tells all of this.

        Idempotent. Never later than the time-out, not even if the store hangs; later questions
        raise RuntimeError.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            How many events are left behind.
        """
        end = time.monotonic() + timeout
        left = await self.recorder.aclose(timeout)
        if self._release():
            await result(self._closing_store(), max(0.0, end - time.monotonic()))
        if self.metrics.sinks:
            rest = max(0.0, end - time.monotonic())
            closing = in_daemon(lambda: self.metrics.close_sinks(rest), "copilot-analytics-metrics")
            await result(closing, rest)
        return left

    def close(self, timeout: float = 5.0) -> int:
        """Do as `aclose`, outside of an event loop."""
        end = time.monotonic() + timeout
        left = self.recorder.close(timeout)
        if self._release():
            result_blocking(self._closing_store(), max(0.0, end - time.monotonic()))
        self.metrics.close_sinks(max(0.0, end - time.monotonic()))
        return left

    async def __aenter__(self) -> Self:
        """Start recording."""
        self.recorder.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, within 5 seconds."""
        await self.aclose()

    def _release(self) -> bool:
        """End the reading threads; return whether the store is ours to close."""
        _live.forget(self)
        self.service.close_readers()
        return self._owns_store

    def _closing_store(self) -> Future[bool]:
        # In a thread: a writer that hangs may hold the store's lock.
        return in_daemon(self.store.close, "copilot-analytics-close")


def _open_store(config: AnalyticsConfig, clock: Clock) -> Store:
    return open_store(
        config.store,
        clock=clock,
        event_retention_days=config.event_retention_days,
        rollup_retention_days=config.rollup_retention_days,
    )


def spool_settings(config: AnalyticsConfig, store: Store) -> SpoolSettings | None:
    """Return where and how events wait for a store; None where they do not."""
    wanted = config.spool == "on" or (config.spool == "auto" and store.remote and SUPPORTED)
    if not wanted:
        return None
    # What the URL of a local store names may depend on where the process runs.
    name = store.url if store.remote else f"{store.url} in {Path.cwd()}"
    return SpoolSettings(
        store=name,
        folder=config.spool_folder,
        max_bytes=config.spool_max_bytes,
        write_interval=config.write_interval,
    )
