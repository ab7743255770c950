from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_analytics._delivery import Delivery
from copilot_analytics._shipping import Shipper
from copilot_analytics.recorder import Recorder
from copilot_analytics.spool import leftovers, spooling
from copilot_analytics.spool.directories import Directory
from copilot_analytics.spool.identities import BLOCK
from copilot_analytics.writer import Writer

from .recording import (
    SOON,
    RemoteStore,
    assert_accounted,
    files_in,
    message,
    recorder_of,
    wait_for,
)
from .recording import spooling as spooling_to


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Let pauses be short."""
    monkeypatch.setattr(Delivery, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(Delivery, "LAST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(spooling, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(Shipper, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def store() -> Iterator[RemoteStore]:
    store = RemoteStore()
    yield store
    store.let_go.set()


def record(recorder: Recorder, *numbers: int) -> None:
    for number in numbers:
        recorder.record(message(number))


def record_and_spool(recorder: Recorder, *numbers: int) -> None:
    """Record, and wait until everything is on disk."""
    record(recorder, *numbers)
    wait_for(lambda: recorder.health().pending == 0)


def leave(store: RemoteStore, folder: Path, *numbers: int, **options: int) -> None:
    """Leave events in the spool, as a process that ends while the store is away."""
    store.away = True
    with spooling_to(store, folder, **options) as recorder:
        record_and_spool(recorder, *numbers)
        assert recorder.close(0) >= len(numbers)
    store.away = False


def directories_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_dir())


class TestSpooling:
    def test_everything_is_spooled_at_once_and_stored_by_a_flush(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        with spooling_to(store, tmp_path) as recorder:
            record_and_spool(recorder, *range(100))
            health = recorder.health()
            assert (health.accepted, health.spooled, health.stored) == (100, 100, 0)
            assert store.attempts == 0
            assert files_in(tmp_path)[".frames"] == 1

            assert recorder.flush_blocking(30)

            health = recorder.health()
            assert (health.spooled, health.pending, health.stored) == (0, 0, 100)
            assert store.numbers == list(range(100))
            assert files_in(tmp_path)[".frames"] == 0, "nothing is left on disk"
            assert recorder.flush_blocking(0)

    def test_the_interval_stores_without_a_flush(self, tmp_path: Path, store: RemoteStore) -> None:
        with spooling_to(store, tmp_path, write_interval=SOON) as recorder:
            for number in range(3):
                record(recorder, number)
                wait_for(lambda: len(store.numbers) == recorder.health().accepted)

    def test_a_whole_batch_is_stored_without_the_interval(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        with spooling_to(store, tmp_path, batch_size=10) as recorder:
            record(recorder, *range(25))
            wait_for(lambda: recorder.health().stored >= 20)

    def test_batches_are_no_larger_than_set(self, tmp_path: Path, store: RemoteStore) -> None:
        leave(store, tmp_path, *range(1000))
        with spooling_to(store, tmp_path, batch_size=70) as recorder:
            record(recorder, *range(1000, 1200))
            assert recorder.flush_blocking(30)
            assert store.numbers == list(range(1200))
            assert max(len(batch.events) for batch in store.written) <= 70

    def test_a_recorder_that_records_nothing_touches_no_disk(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        with spooling_to(store, tmp_path) as recorder:
            assert recorder.flush_blocking(0)
            assert recorder.close() == 0
            assert list(tmp_path.iterdir()) == []

    def test_the_spool_says_whose_it_is_and_is_its_owner_s_alone(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        with spooling_to(store, tmp_path / "new" / "folder") as recorder:
            record_and_spool(recorder, 1)
        (root,) = (tmp_path / "new" / "folder").iterdir()
        assert root.stat().st_mode & 0o777 == 0o700
        assert (root / "store").read_text() == "memory://\n"


class TestOutages:
    def test_an_outage_longer_than_memory_loses_nothing(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        store.away = True
        with spooling_to(store, tmp_path, batch_size=10, max_pending=50) as recorder:
            for first in range(0, 2000, 40):
                record_and_spool(recorder, *range(first, first + 40))
                assert_accounted(recorder.health())
            health = recorder.health()
            assert (health.spooled, health.rejected) == (2000, {})
            assert health.last_error is not None
            assert not recorder.flush_blocking(0.01)

            store.away = False
            assert recorder.flush_blocking(30)

            assert store.numbers == list(range(2000))
            assert files_in(tmp_path)[".frames"] == 0
            assert_accounted(recorder.health())

    def test_an_outage_is_no_storm_of_attempts(
        self, tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Delivery, "LAST_PAUSE_SECONDS", 3600.0)
        store.away = True
        with spooling_to(store, tmp_path, batch_size=1) as recorder:
            for number in range(100):
                record_and_spool(recorder, number)
                recorder.flush_blocking(0)
            assert store.attempts < 20

    def test_one_line_says_that_events_wait_and_one_that_all_is_well(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        with spooling_to(store, tmp_path, write_interval=SOON) as recorder:
            record(recorder, 1)
            wait_for(lambda: recorder.health().last_error is not None)
            store.away = False
            assert recorder.flush_blocking(30)
        assert caplog.messages == [
            "memory://: the store is away; it is tried again; events wait in the spool meanwhile",
            "memory://: writing works again",
        ]

    def test_only_events_that_the_store_refuses_are_dropped(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        store.refused = {3, 77, 78}
        with spooling_to(store, tmp_path) as recorder:
            record(recorder, *range(100))
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert health.dropped == {"store_refused": 3}
            assert sorted(store.numbers) == sorted(set(range(100)) - store.refused)
            assert_accounted(health)
        assert files_in(tmp_path)[".frames"] == 0


class TestEnds:
    def test_closing_stores_what_is_spooled(self, tmp_path: Path, store: RemoteStore) -> None:
        with spooling_to(store, tmp_path) as recorder:
            record(recorder, *range(100))
            assert asyncio.run(recorder.aclose()) == 0
            assert store.numbers == list(range(100))

    def test_what_cannot_be_stored_in_time_is_left_and_told(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        with spooling_to(store, tmp_path) as recorder:
            record_and_spool(recorder, *range(100))
            assert asyncio.run(recorder.aclose(0.05)) == 100
            assert recorder.close() == 100
            health = recorder.health()
            assert (health.pending, health.spooled) == (0, 100)
        assert caplog.text.count("100 events are left in the spool") == 1
        store.away = False

        with spooling_to(store, tmp_path) as recorder:
            recorder.start()
            wait_for(lambda: recorder.health().stored == 100)
            health = recorder.health()
            assert (health.accepted, health.recovered, health.spooled) == (0, 100, 0)
        assert store.numbers == list(range(100))

    def test_a_store_that_hangs_does_not_hang_closing(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        store.let_go.clear()
        with spooling_to(store, tmp_path, batch_size=4) as recorder:
            record(recorder, *range(10))
            assert store.writing.wait(30)
            assert asyncio.run(recorder.aclose(0.05)) == 10
            with spooling_to(store, tmp_path) as other:
                record_and_spool(other, 10)
                assert len(directories_in(tmp_path)) == 2, "the first one is still in use"
                other.close(0)
                store.let_go.set()
            wait_for(lambda: recorder.health().stored == 4)
            assert_accounted(recorder.health())

    def test_a_flush_that_closing_overtakes_is_false(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        store.away = True
        with spooling_to(store, tmp_path) as recorder:

            async def overtake() -> bool:
                record(recorder, 1)
                flushing = asyncio.create_task(recorder.flush())
                await asyncio.to_thread(store.writing.wait, 30)
                await recorder.aclose(0)
                return await flushing

            assert not asyncio.run(overtake())


class TestRestarts:
    def test_a_restart_goes_on_under_its_writer_with_later_numbers(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        for number in range(3):
            with spooling_to(store, tmp_path) as recorder:
                record(recorder, number)
        assert len(directories_in(tmp_path)) == 1
        assert len({event.writer for event in store.all_events}) == 1
        sequences = [event.sequence for event in store.all_events]
        assert sequences == sorted(sequences)
        assert sequences[2] - sequences[1] > BLOCK

    def test_what_was_stored_already_is_not_counted_twice(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        """As after a kill between the store's answer and the deletion of the file."""
        leave(store, tmp_path, *range(500))
        (directory,) = directories_in(tmp_path)
        frames = {path: path.read_bytes() for path in directory.glob("*.frames")}
        for batch_size in (37, 5000, 100):
            with spooling_to(store, tmp_path, batch_size=batch_size) as recorder:
                record(recorder)
                recorder.start()
                wait_for(lambda: recorder.health().stored == 500)
            for path, content in frames.items():
                path.write_bytes(content)
        assert store.numbers == list(range(500))

    def test_old_events_come_strictly_before_new_ones(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        leave(store, tmp_path, *range(300))
        leave(store, tmp_path, *range(300, 400))
        with spooling_to(store, tmp_path, batch_size=50) as recorder:
            record(recorder, *range(400, 500))
            assert recorder.flush_blocking(30)
            assert store.numbers == list(range(500))
            assert_accounted(recorder.health())

    def test_dead_processes_directories_are_emptied_and_removed(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        store.away = True
        recorders = [recorder_of(store, tmp_path) for _ in range(3)]
        for number, recorder in enumerate(recorders):
            record_and_spool(recorder, *range(number * 100, number * 100 + 100))
        for recorder in recorders:
            assert recorder.close(0) == 100
        store.away = False
        wait_for(lambda: len(list(free_of(tmp_path))) == 3)

        with spooling_to(store, tmp_path, batch_size=30) as recorder:
            recorder.start()
            wait_for(lambda: recorder.health().stored == 300)
            assert recorder.health().recovered == 300

        assert len({event.writer for event in store.all_events}) == 3
        assert sorted(store.numbers) == list(range(300))
        assert len(directories_in(tmp_path)) == 1

    def test_empty_directories_are_kept_for_a_day(self, tmp_path: Path, store: RemoteStore) -> None:
        recorders = [recorder_of(store, tmp_path) for _ in range(3)]
        for recorder in recorders:
            record_and_spool(recorder, 1)
        for recorder in recorders:
            assert recorder.close(30) == 0
        paths = directories_in(tmp_path)
        assert len(paths) == 3
        old = paths[0].stat().st_mtime - leftovers.KEPT_SECONDS - 60
        os.utime(paths[2], (old, old))

        with spooling_to(store, tmp_path) as recorder:
            recorder.start()

        assert directories_in(tmp_path) == paths[:2]

    def test_a_copied_directory_is_emptied_and_goes_on_under_a_new_writer(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        leave(store, tmp_path / "there", *range(100))
        shutil.copytree(tmp_path / "there", tmp_path / "here")
        for place in ("there", "here"):
            with spooling_to(store, tmp_path / place) as recorder:
                record(recorder, 100 if place == "there" else 101)
        assert store.numbers == list(range(102)), "the copy's are the same events"
        writers = [event.writer for event in store.all_events]
        assert writers[100] == writers[0] != writers[101]

    def test_spools_of_different_stores_are_apart(
        self, tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leave(store, tmp_path, 1)
        other = RemoteStore()
        monkeypatch.setattr(RemoteStore, "url", "memory://other")
        with spooling_to(other, tmp_path) as recorder:
            record(recorder, 2)
        assert (other.numbers, store.numbers) == ([2], [])


def free_of(folder: Path) -> Iterator[Path]:
    """The directories that nobody has locked."""
    for root in folder.iterdir():
        for directory in Directory.unlocked(root):
            yield directory.path
            directory.release()


class TestTrouble:
    def test_beyond_the_limit_events_wait_in_memory_and_are_then_rejected(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True

        def full() -> bool:
            return "limit of 20000 bytes" in caplog.text

        with spooling_to(
            store, tmp_path, max_bytes=20_000, max_pending=50, write_interval=SOON
        ) as recorder:
            sent = 0
            while not full() or recorder.health().pending < 20:
                record(recorder, *range(sent, sent + 10))
                sent += 10
                recorder.flush_blocking(0.001)
                wait_for(lambda: recorder.health().pending == 0 or full())
            assert recorder.health().spooled > 50
            record(recorder, *range(sent, sent + 100))
            health = recorder.health()
            assert health.pending == 50
            assert sum(health.rejected.values()) == sent + 100 - health.accepted
            assert health.rejected.keys() == {"store_unavailable"}
            assert_accounted(health)

            store.away = False
            assert recorder.flush_blocking(30)

            accepted = recorder.health().accepted
            assert store.numbers == list(range(accepted))
            record_and_spool(recorder, accepted)
            assert_accounted(recorder.health())
        assert caplog.text.count("cannot be written") == 1
        assert "raise spool_max_bytes" in caplog.text

    @pytest.mark.parametrize("trouble", ["not a folder", "no home"])
    def test_without_a_spool_events_go_to_the_store_from_memory(
        self, tmp_path: Path, store: RemoteStore, trouble: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "spool" if trouble == "not a folder" else None
        with spooling_to(store, folder, batch_size=30) as recorder:
            record(recorder, *range(100))
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert (health.stored, health.spooled, health.pending) == (100, 0, 0)
            assert health.errors.keys() == {"recorder.spool"}
            record(recorder, 100)
            assert recorder.flush_blocking(30)
        assert store.numbers == list(range(101))
        errors = [text for text in caplog.messages if "cannot be written" in text]
        assert len(errors) == 1
        assert "set spool_dir to a directory" in errors[0]

    def test_spooling_begins_once_the_folder_can_be_written(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        (tmp_path / "spool").touch()
        with spooling_to(store, tmp_path / "spool") as recorder:
            record(recorder, *range(10))
            wait_for(lambda: bool(recorder.health().errors))
            (tmp_path / "spool").unlink()
            record(recorder, 10)
            wait_for(lambda: recorder.health().spooled == 11)
            store.away = False
            assert recorder.flush_blocking(30)
        assert store.numbers == list(range(11))
        assert "can be written again" in caplog.text

    def test_a_full_disk_is_no_more_than_a_line_in_the_log(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        resource = pytest.importorskip("resource")
        store.away = True
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        with spooling_to(store, tmp_path) as recorder:
            record_and_spool(recorder, *range(100))
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
            try:
                record(recorder, *range(100, 1000))
                wait_for(lambda: bool(recorder.health().errors))
                assert recorder.health().pending > 0
                assert_accounted(recorder.health())
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            record(recorder, 1000)
            wait_for(lambda: recorder.health().spooled == 1001)
            store.away = False
            assert recorder.flush_blocking(30)
            assert store.numbers == list(range(1001))
            assert_accounted(recorder.health())

    def test_numbers_that_cannot_be_reserved_are_another_writer_s(
        self, tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("copilot_analytics.spool.identities.BLOCK", 50)
        with spooling_to(store, tmp_path) as recorder:
            record_and_spool(recorder, *range(10))
            (directory,) = directories_in(tmp_path)
            (directory / "writer.new").mkdir()
            record_and_spool(recorder, *range(10, 200))
            record_and_spool(recorder, 200)
            (directory / "writer.new").rmdir()
            wait_for(lambda: returned(recorder, store))
        writers = {event.writer for event in store.all_events}
        assert len(writers) == 2
        assert len({(e.writer, e.sequence) for e in store.all_events}) == len(store.all_events)

    def test_damage_to_a_file_is_counted(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        with spooling_to(store, tmp_path, batch_size=1) as recorder:
            for number in range(20):
                record_and_spool(recorder, number)
            for path in tmp_path.rglob("*.frames"):
                content = bytearray(path.read_bytes())
                content[-3] ^= 1
                path.write_bytes(content)
            store.away = False
            assert recorder.flush_blocking(30)
            health = recorder.health()
            lost = health.dropped["spool_damaged"]
            assert 1 <= lost <= 2
            assert health.stored == 20 - lost
            assert health.errors["recorder.spool"] >= 1
            assert_accounted(health)
        assert "cannot be read" in caplog.text

    def test_files_that_vanish_are_counted(self, tmp_path: Path, store: RemoteStore) -> None:
        store.away = True
        with spooling_to(store, tmp_path, batch_size=1) as recorder:
            for number in range(20):
                record_and_spool(recorder, number)
            for path in tmp_path.rglob("*.frames"):
                path.unlink()
            store.away = False
            assert recorder.flush_blocking(30)
            health = recorder.health()
            assert health.dropped["spool_damaged"] == 20 - health.stored
            record(recorder, 20)
            assert recorder.flush_blocking(30)
            assert store.numbers[-1] == 20
            assert_accounted(recorder.health())

    def test_a_file_that_cannot_be_read_now_holds_up_and_loses_nothing(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        # In three files: before anything is moved, the first may have been read, and the second
        # looked into for what goes into the first write; the third not.
        for first in range(0, 150, 50):
            leave(store, tmp_path, *range(first, first + 50))
        store.away = True
        with spooling_to(store, tmp_path, batch_size=1) as recorder:
            recorder.start()
            wait_for(lambda: recorder.health().recovered == 150)
            segment = max(path for path in tmp_path.rglob("*.frames") if path.stat().st_size)
            moved, loop = tmp_path / "moved", tmp_path / "loop"
            moved.hardlink_to(segment)
            loop.symlink_to(segment)
            loop.replace(segment)  # at once: a file that is missing is another trouble
            store.away = False
            record(recorder, 150)
            wait_for(lambda: f"{segment}: " in caplog.text)
            assert not recorder.flush_blocking(0.01)

            moved.replace(segment)
            assert recorder.flush_blocking(30)
            assert store.numbers == list(range(151))

    def test_a_file_that_cannot_be_deleted_is_deleted_later(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        with spooling_to(store, tmp_path) as recorder:
            record_and_spool(recorder, *range(10))
            (segment,) = tmp_path.rglob("*.frames")
            segment.unlink()
            segment.mkdir()
            assert recorder.flush_blocking(30)
            assert (recorder.health().stored, segment.exists()) == (10, True)

            segment.rmdir()
            record(recorder, 10)
            assert recorder.flush_blocking(30)
            assert store.numbers == list(range(11))
            assert list(tmp_path.rglob("*.frames")) == []

    def test_broken_directories_are_passed_over(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        leave(store, tmp_path, *range(10))
        (broken,) = directories_in(tmp_path)
        loop = broken / "0000000000000000.frames"
        loop.unlink()
        loop.symlink_to(loop)

        with spooling_to(store, tmp_path) as recorder:
            record(recorder, 10)
            assert recorder.flush_blocking(30)

        assert store.numbers == [10]
        assert len(directories_in(tmp_path)) == 2
        assert f"{broken} cannot be used" in caplog.text
        assert f"{broken} cannot be read" in caplog.text

    def test_a_directory_that_cannot_be_removed_is_told(
        self, tmp_path: Path, store: RemoteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        first, second = recorder_of(store, tmp_path), recorder_of(store, tmp_path)
        record_and_spool(first, *range(10))
        record_and_spool(second, *range(10, 20))
        for path in directories_in(tmp_path):
            (path / "mine").mkdir()
        first.close(0)
        second.close(0)
        wait_for(lambda: len(list(free_of(tmp_path))) == 2)
        store.away = False

        with spooling_to(store, tmp_path) as recorder:
            recorder.start()
            wait_for(lambda: recorder.health().stored == 20)

        assert sorted(store.numbers) == list(range(20))
        assert caplog.text.count("cannot be removed") == 1

    def test_what_waits_in_memory_is_spooled_by_closing_if_that_is_possible_then(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        resource = pytest.importorskip("resource")
        store.away = True
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
        try:
            with spooling_to(store, tmp_path, write_interval=SOON) as recorder:
                record(recorder, *range(10))
                wait_for(lambda: store.attempts > 1)
                assert recorder.health().pending == 10
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                recorder.close(0.01)
                wait_for(lambda: recorder.health().spooled == 10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.away = False

        with spooling_to(store, tmp_path) as recorder:
            recorder.start()
            wait_for(lambda: recorder.health().stored == 10)
        assert store.numbers == list(range(10))

    def test_without_a_second_thread_events_are_stored_by_closing(
        self, tmp_path: Path, store: RemoteStore
    ) -> None:
        usual = threading.stack_size()

        class LastWriter(Writer):
            """Leaves no room for another thread, once the recorder's runs."""

            def assume(self, identifier: str, last: int) -> None:
                super().assume(identifier, last)
                threading.stack_size(1 << 46)  # more than there is

        try:
            with spooling_to(store, tmp_path, writer=LastWriter()) as recorder:
                record_and_spool(recorder, *range(10))
                assert recorder.health().errors.keys() == {"recorder.shipping"}
                assert recorder.close(30) == 0
        finally:
            threading.stack_size(usual)
        assert store.numbers == list(range(10))


def returned(recorder: Recorder, store: RemoteStore) -> bool:
    """Record one more, and say whether it came from the first writer again."""
    record(recorder, 1)
    assert recorder.flush_blocking(30)
    return store.all_events[-1].writer == store.all_events[0].writer


@settings(max_examples=12)
@given(
    st.lists(
        st.sampled_from(["record", "many", "away", "back", "flush", "spool", "restart"]),
        max_size=25,
    )
)
def test_events_are_accounted_for_and_stored_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever happens; with a spool and a memory so small that both are full at times."""
    folder = tmp_path_factory.mktemp("spool")
    store = RemoteStore()
    options = {"max_bytes": 20_000, "max_pending": 60, "batch_size": 20, "write_interval": SOON}
    sent = accepted = 0

    def open_recorder() -> Recorder:
        return recorder_of(store, folder, **options)  # type: ignore[arg-type]

    recorder = open_recorder()
    try:
        for step in [*steps, "back", "flush"]:
            if step in ("record", "many"):
                count = 3 if step == "record" else 50
                record(recorder, *range(sent, sent + count))
                sent += count
            elif step in ("away", "back"):
                store.away = step == "away"
            elif step == "flush":
                flushed = recorder.flush_blocking(0.005 if store.away else 30)
                health = recorder.health()
                assert flushed or store.away
                assert not flushed or health.stored == health.accepted + health.recovered
            elif step == "spool":
                recorder.start()
            elif not store.away:
                accepted += recorder.health().accepted
                assert recorder.close(30) == 0
                recorder = open_recorder()
            assert_accounted(recorder.health())
    finally:
        store.away = False
        assert recorder.close(30) == 0
    accepted += recorder.health().accepted
    assert_accounted(recorder.health())
    assert len(store.numbers) == accepted
    assert store.numbers == sorted(set(store.numbers))
    assert set(store.numbers) <= set(range(sent))
