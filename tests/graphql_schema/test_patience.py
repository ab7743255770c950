"""One timer for all the waits of an endpoint."""

from __future__ import annotations

import asyncio

import pytest

from copilot_analytics_graphql.patience import Patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "TICK_SECONDS", 0.005)


def test_a_wait_that_takes_too_long_ends_and_others_go_on() -> None:
    patience, long = Patience(0.01), Patience(60)

    async def hang(patience: Patience) -> None:
        with patience.wait():
            await asyncio.Event().wait()

    async def run() -> None:
        patient = asyncio.create_task(hang(long))
        results = await asyncio.gather(hang(patience), hang(patience), return_exceptions=True)
        assert [type(result) for result in results] == [TimeoutError, TimeoutError]
        assert not patient.done()
        patient.cancel()
        await asyncio.gather(patient, return_exceptions=True)
        assert patient.cancelled()

    asyncio.run(run())


def test_what_ends_in_time_is_left_alone_and_the_timer_ends() -> None:
    patience = Patience(0.01)

    async def run() -> int:
        for _ in range(3):
            with patience.wait():
                await asyncio.sleep(0)
        # Longer than the wait may take, outside of it.
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.05)
        with patience.wait():
            return 1

    assert asyncio.run(run()) == 1
    assert asyncio.run(run()) == 1


def test_a_cancellation_from_elsewhere_goes_its_way() -> None:
    patience = Patience(60)

    async def hang() -> None:
        with patience.wait():
            await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_an_error_in_time_is_raised_as_it_is() -> None:
    async def run() -> None:
        with Patience(60).wait():
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(run())
