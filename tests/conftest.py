"""Settings for the whole suite."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest
from hypothesis import settings

from .stores import dynamodb_engines
from .stores.dynamodb_engines import Engine

settings.register_profile("any-machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any-machine")


def pytest_configure(config: pytest.Config) -> None:
    """Give what tests start a state of its own, and Ctrl-C.

    Spools that no test places lie in a folder of this run. A shell's background jobs ignore SIGINT,
    and so would all that they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    state = tempfile.TemporaryDirectory(prefix="copilot-analytics-state-")
    os.environ["XDG_STATE_HOME"] = state.name
    config.add_cleanup(state.cleanup)


@pytest.fixture(autouse=True, scope="module")
def _no_threads_left() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Fail a module whose tests leave threads of ours running, and with them stores open."""
    others = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in others and _ours(thread)]
    for thread in left:
        thread.join(10)  # one that was told to end may take its time
    assert not [thread.name for thread in left if thread.is_alive()]


def _ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("copilot-analytics")


_engines_ran = pytest.StashKey[bool]()
_left_out = pytest.StashKey[set[str]]()


@pytest.fixture(scope="session")
def leave_out(pytestconfig: pytest.Config) -> Callable[[str], NoReturn]:
    """Leave a test out for want of something: a sentence that is said once, at the end.

    In CI nothing is left out: there it is a failure.
    """

    def leave_out(sentence: str) -> NoReturn:
        if dynamodb_engines.all_required():
            pytest.fail(sentence)
        pytestconfig.stash.setdefault(_left_out, set()).add(sentence)
        pytest.skip(sentence)

    return leave_out


@pytest.fixture(scope="session")
def _engine_url(  # pyright: ignore[reportUnusedFunction]
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], str]]:
    """Return what starts an engine when it is first asked for, and gives its URL."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:

        def url_of(name: str) -> str:
            if name not in urls:
                folder = tmp_path_factory.mktemp(name)
                urls[name] = stack.enter_context(dynamodb_engines.running(name, folder))
            return urls[name]

        yield url_of


@pytest.fixture(params=dynamodb_engines.engine_names())
def engine(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _engine_url: Callable[[str], str],
) -> Iterator[Engine]:
    """Run the test on every DynamoDB engine that is present."""
    name: str = request.param
    if name != "endpoint":
        dynamodb_engines.isolate(monkeypatch)
    request.config.stash[_engines_ran] = True
    engine = Engine(name, _engine_url(name), atomic_add=name != "moto")
    yield engine
    dynamodb_engines.delete_tables(engine)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say once what was left out, and how to have it."""
    left_out = dynamodb_engines.left_out()
    if left_out and config.stash.get(_engines_ran, False):
        terminalreporter.write_line(left_out, yellow=True)
    sentences = config.stash.get(_left_out, None)
    for sentence in sorted(sentences or ()):
        terminalreporter.write_line(sentence, yellow=True)
