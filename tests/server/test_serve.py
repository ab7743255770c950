from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from copilot_analytics.errors import SecretError
from copilot_analytics.server.serve import chosen_token

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
TOKEN = "a-token-of-the-tests-that-has-32-bytes"


def _said(process: subprocess.Popen[str], last: str) -> dict[str, str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(last):
            break
    return dict(re.findall(r"^(GraphQL|Store|Token) +(\S+)", "".join(lines), re.M))


def test_serve_prints_a_generated_token_once_that_opens_it(start: Start, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'served.db'}"
    process = start("serve", "--port", "0", "--store", store)
    said = _said(process, "Token")
    headers = {"Authorization": f"Bearer {said['Token']}"}
    query = {"query": "{ dashboard { summary { messages { value } } } }"}

    answer = httpx.post(said["GraphQL"], json=query, headers=headers)
    process.send_signal(signal.SIGINT)

    assert answer.json() == {"data": {"dashboard": {"summary": {"messages": {"value": 0}}}}}
    assert said["Store"] == store
    assert process.wait(20) == 130


def test_serve_takes_the_token_of_the_environment_and_never_prints_it(start: Start) -> None:
    process = start("serve", "--port", "0", COPILOT_ANALYTICS_TOKEN=TOKEN)
    said = _said(process, "Store")
    query = {"query": "{ __typename }"}

    with_it = httpx.post(said["GraphQL"], json=query, headers={"Authorization": f"Bearer {TOKEN}"})
    without = httpx.post(said["GraphQL"], json=query)
    process.terminate()
    assert process.stdout is not None

    assert with_it.status_code == 200
    assert without.status_code == 401
    assert TOKEN not in process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "status", "remedy"),
    [
        (("--store", "sqlite:////no/such/folder/x.db"), 3, "/no/such/folder"),
        (("--store", "nonsense"), 2, "sqlite:///"),
        (("--token", "short"), 2, "is only 5 bytes long: give at least 32"),
        (("--token", "\udcff" * 40), 2, "no HTTP header"),
        (("--host", "\udcff"), 2, "no address here"),
    ],
)
def test_serve_says_in_one_sentence_what_is_wrong(
    run: Run, arguments: tuple[str, ...], status: int, remedy: str
) -> None:
    done = run("serve", "--port", "0", *arguments)

    assert done.returncode == status
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert "short" not in done.stderr, "a token is never shown, not even a wrong one"


def test_serve_says_which_port_is_taken(run: Run, start: Start) -> None:
    process = start("serve", "--port", "0")
    port = _said(process, "Token")["GraphQL"].rpartition(":")[2].partition("/")[0]

    done = run("serve", "--port", port)

    assert done.returncode == 2
    assert port in done.stderr
    assert "give another one" in done.stderr


def test_token_must_have_32_bytes() -> None:
    assert chosen_token(TOKEN) == (TOKEN, False)
    token, generated = chosen_token(None)
    assert generated
    assert len(token.encode()) >= 32
    with pytest.raises(SecretError, match="the token is only 31 bytes long: give"):
        chosen_token("x" * 31)
