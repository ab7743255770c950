from __future__ import annotations

import asyncio
import datetime as dt
import threading
from pathlib import Path

import pytest

from copilot_analytics import Analytics, AnalyticsConfig, ConfigurationError
from copilot_analytics.batch import Batch
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.protocols import adapter_named
from copilot_analytics.stores import MemoryStore, SQLiteStore
from copilot_analytics.testing import FakeClock

NOON = 1_773_576_000_000  # 2026-03-15T12:00Z
STRICT = AnalyticsConfig(strict=True)
MESSAGE = '{"action": "message", "message": "hello", "conversationId": "c-1"}'


def stored(analytics: Analytics) -> list[AnalyticsEvent]:
    assert analytics.recorder.flush_blocking(30)
    with analytics.store.snapshot(dt.date(2026, 3, 15)) as snapshot:
        return list(snapshot.events())


def over_memory(**settings: object) -> Analytics:
    config = AnalyticsConfig.from_env({}, strict=True, **settings)
    return Analytics("memory://", config=config, clock=FakeClock(NOON))


class FarStore(MemoryStore):
    remote = True


class TestSpool:
    @pytest.mark.parametrize(
        ("store", "spool", "spools"),
        [
            (FarStore(), "auto", True),
            (FarStore(), "on", True),
            (FarStore(), "off", False),
            (MemoryStore(), "auto", False),
            (MemoryStore(), "on", True),
        ],
    )
    def test_events_for_remote_stores_are_spooled_unless_set_otherwise(
        self, tmp_path: Path, store: MemoryStore, spool: str, spools: bool
    ) -> None:
        config = AnalyticsConfig(strict=True, spool=spool, spool_dir=str(tmp_path))
        analytics = Analytics(store, config=config)
        assert list(tmp_path.iterdir()) == []

        analytics.service.track_command_execution("ada", "add", True)

        assert analytics.close() == 0
        assert store.statistics()["events"] == 1
        assert len(list(tmp_path.iterdir())) == spools

    def test_files_of_one_relative_name_in_different_folders_have_spools_of_their_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = AnalyticsConfig(strict=True, spool="on", spool_dir=str(tmp_path / "spool"))
        for name in ("here", "there"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            analytics = Analytics("sqlite:///events.db", config=config)
            analytics.service.track_command_execution("ada", "add", True)
            assert analytics.close() == 0

        assert len(list((tmp_path / "spool").iterdir())) == 2

    def test_a_disabled_one_spools_nothing(self, tmp_path: Path) -> None:
        config = AnalyticsConfig(strict=True, enabled=False, spool_dir=str(tmp_path))
        with_nothing = Analytics(FarStore(), config=config)

        with_nothing.service.track_command_execution("ada", "add", True)

        assert with_nothing.close() == 0
        assert list(tmp_path.iterdir()) == []


class TestMaking:
    def test_a_url_wins_over_the_setting(self) -> None:
        analytics = Analytics("memory://", config=AnalyticsConfig(store="sqlite:///unused.db"))

        assert (analytics.store.url, analytics.config.store) == ("memory://", "memory://")

    def test_without_a_configuration_the_environment_s_is_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COPILOT_ANALYTICS_ENABLED", "0")
        monkeypatch.setenv("COPILOT_ANALYTICS_STORE", "memory://")

        assert not Analytics("memory://").config.enabled
        assert Analytics().store.url == "memory://"
        assert Analytics.from_env(enabled=True).config.enabled
        assert Analytics(config=STRICT).config.enabled

    @pytest.mark.parametrize("store", ["mysql://x", "sqlite://x", "", 7])
    def test_a_store_that_cannot_be_used_is_refused(self, store: str) -> None:
        with pytest.raises(ConfigurationError, match="store"):
            Analytics(store, config=STRICT)

    def test_an_unknown_adapter_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="omnitrack"):
            over_memory(adapter="unknown")
        with pytest.raises(ConfigurationError, match="omnitrack"):
            over_memory().open_connection(resolve_user=lambda: None, adapter="unknown")

    def test_making_one_touches_nothing(self, tmp_path: Path) -> None:
        before = threading.active_count()
        analytics = Analytics(f"sqlite:///{tmp_path / 'new.db'}", config=STRICT)

        assert threading.active_count() == before
        assert list(tmp_path.iterdir()) == []
        assert analytics.close() == 0
        assert list(tmp_path.iterdir()) == []

    def test_disabled_touches_nothing_ever(self, tmp_path: Path) -> None:
        before = threading.active_count()
        config = AnalyticsConfig(strict=True, enabled=False)
        analytics = Analytics(f"sqlite:///{tmp_path / 'new.db'}", config=config)

        async def use() -> None:
            async with analytics:
                analytics.service.track_command_execution("ada", "add", True)
                tracker = analytics.open_connection(resolve_user=lambda: "ada")
                tracker.opened()
                tracker.closed(1000)
                assert threading.active_count() == before
                assert await analytics.flush()

        asyncio.run(use())
        assert list(tmp_path.iterdir()) == []
        assert analytics.recorder.health().rejected["disabled"] == 3


class TestConnections:
    def test_a_connection_is_its_user_s(self) -> None:
        analytics = over_memory()
        tracker = analytics.open_connection(resolve_user=lambda: "ada", connection_id="s-1")
        tracker.opened()
        tracker.client_frame(MESSAGE)
        tracker.closed(1000)

        events = stored(analytics)
        assert [event.event_type.value for event in events] == [
            "WEBSOCKET_CONNECTED",
            "MESSAGE_SENT",
            "WEBSOCKET_DISCONNECTED",
        ]
        assert {(event.user_id, event.connection_id) for event in events} == {("ada", "s-1")}
        analytics.close()

    def test_the_user_is_asked_for_once_and_not_before_the_socket_is_accepted(self) -> None:
        asked = []

        def resolve() -> str:
            asked.append(1)
            return "ada"

        analytics = over_memory()
        tracker = analytics.open_connection(resolve_user=resolve)
        assert asked == []
        tracker.opened()
        tracker.client_frame(MESSAGE)
        tracker.closed(1000)
        assert asked == [1]
        analytics.close()

    @pytest.mark.parametrize("nobody", [None, ""])
    def test_nobody_is_anonymous_by_connection(self, nobody: str | None) -> None:
        analytics = over_memory()
        tracker = analytics.open_connection(resolve_user=lambda: nobody, connection_id="s-1")
        tracker.opened()
        tracker.closed(1000)

        assert {event.user_id for event in stored(analytics)} == {"anonymous:s-1"}
        analytics.close()

    def test_a_user_that_cannot_be_told_is_anonymous_and_the_failure_counted(self) -> None:
        def resolve() -> str:
            raise LookupError("ada@example.com")

        analytics = Analytics("memory://", config=AnalyticsConfig())
        tracker = analytics.open_connection(resolve_user=resolve, connection_id="s-1")
        tracker.opened()
        assert tracker.user_id == "anonymous:s-1"
        assert sum(analytics.recorder.health().errors.values()) == 1
        analytics.close()

    def test_ids_are_pseudonyms_before_anything_is_recorded(self) -> None:
        analytics = over_memory(pseudonymise_key="k" * 32)
        tracker = analytics.open_connection(resolve_user=lambda: "ada")
        tracker.opened()
        assert tracker.user_id == analytics.stored_user_id("ada") != "ada"
        tracker.closed(1000)
        analytics.close()

    def test_who_comes_back_after_a_lost_connection_reconnects(self) -> None:
        analytics = over_memory()
        for code in (1006, 1000, 1000):
            tracker = analytics.open_connection(resolve_user=lambda: "ada")
            tracker.opened()
            tracker.closed(code)

        flags = [event.metadata.get("reconnect") for event in stored(analytics)[::2]]
        assert flags == [False, True, False]
        analytics.close()

    def test_connections_have_ids_of_their_own(self) -> None:
        analytics = over_memory()
        first, second = (analytics.open_connection(resolve_user=lambda: None) for _ in range(2))

        assert first.connection_id != second.connection_id

    def test_an_adapter_is_given_by_name_or_itself(self) -> None:
        analytics = over_memory()
        for adapter in ("omnitrack", adapter_named("omnitrack"), None):
            tracker = analytics.open_connection(resolve_user=lambda: "ada", adapter=adapter)
            tracker.opened()
            tracker.closed(1000)

        opened = stored(analytics)[::2]
        assert [event.metadata["adapter"] for event in opened] == ["omnitrack"] * 3
        analytics.close()

    def test_a_connection_may_have_a_clock_of_its_own(self) -> None:
        analytics = over_memory()
        clock = FakeClock(NOON - 60_000)
        tracker = analytics.open_connection(resolve_user=lambda: "ada", clock=clock)
        tracker.opened()
        clock.advance(1_500)
        tracker.closed(1000)

        first, last = stored(analytics)
        assert (first.timestamp, last.timestamp) == (NOON - 60_000, NOON - 58_500)
        assert last.metadata["connection_ms"] == 1500.0
        analytics.close()

    def test_malformed_frames_are_counted_in_health(self) -> None:
        analytics = over_memory()
        tracker = analytics.open_connection(resolve_user=lambda: "ada")
        tracker.opened()
        tracker.client_frame('{"action": ')
        tracker.closed(1000)

        assert sum(analytics.recorder.health().skipped.values()) == 1
        analytics.close()


class TestClosing:
    def test_async_with_starts_and_stores_everything(self, tmp_path: Path) -> None:
        path = tmp_path / "events.db"

        async def use() -> None:
            async with Analytics(f"sqlite:///{path}", config=STRICT) as analytics:
                analytics.service.track_command_execution("ada", "add", True)

        asyncio.run(use())
        with SQLiteStore(path) as store:
            assert store.statistics()["events"] == 1
        # Without connections, SQLite has put its log away.
        assert sorted(found.name for found in tmp_path.iterdir()) == ["events.db"]

    def test_closing_twice_is_closing_once(self) -> None:
        analytics = over_memory()
        analytics.service.track_command_execution("ada", "add", True)

        assert asyncio.run(analytics.aclose()) == 0
        assert asyncio.run(analytics.aclose()) == 0
        assert analytics.close() == 0

    def test_one_analytics_serves_two_loops_and_none(self) -> None:
        analytics = over_memory()

        async def use() -> int:
            analytics.service.track_command_execution("ada", "add", True)
            assert await analytics.flush(30)
            days = analytics.service.today()
            return (await analytics.service.command_stats("add", days)).executions

        assert asyncio.run(use()) == 1
        assert asyncio.run(use()) == 2
        analytics.service.track_command_execution("ada", "add", True)
        assert analytics.close() == 0
        assert analytics.recorder.health().stored == 3

    def test_a_store_of_the_caller_s_stays_open(self, tmp_path: Path) -> None:
        with SQLiteStore(tmp_path / "events.db") as store:
            analytics = Analytics(store, config=STRICT)
            analytics.service.track_command_execution("ada", "add", True)
            assert analytics.close() == 0
            assert asyncio.run(analytics.aclose()) == 0
            assert (tmp_path / "events.db-wal").exists()

    def test_a_store_that_hangs_in_write_and_close_does_not_hang_closing(self) -> None:
        let_go = threading.Event()

        class HangingStore(MemoryStore):
            def write(self, batch: Batch) -> None:
                assert let_go.wait(60)

            def close(self) -> None:
                assert let_go.wait(60)

        analytics = Analytics(HangingStore(), config=STRICT)
        analytics._owns_store = True
        analytics.service.track_command_execution("ada", "add", True)
        assert analytics.close(0.01) == 1
        assert asyncio.run(analytics.aclose(0.01)) == 1
        let_go.set()
