"""`copilot-analytics token …`, and the server that lets these tokens in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


def test_a_token_is_printed_once_and_listed_without_itself(run: Run, tmp_path: Path) -> None:
    made = run("token", "create", "grafana", "--days", "30")
    listed = run("token", "list")

    token = made.stdout.strip()
    assert (made.returncode, listed.returncode) == (0, 0)
    assert re.fullmatch(r"ca_[\w-]{43}", token)
    assert "Shown once" in made.stderr
    assert "grafana" in listed.stdout
    assert token not in listed.stdout + (tmp_path / "copilot-analytics-tokens.json").read_text()


def test_revoking_says_whether_there_was_one(run: Run) -> None:
    run("token", "create", "grafana")

    revoked, again = run("token", "revoke", "grafana"), run("token", "revoke", "grafana")

    assert (revoked.returncode, revoked.stdout) == (0, "Revoked grafana.\n")
    assert again.returncode == 1
    assert "has no token of that name" in again.stderr


def test_mistakes_are_one_sentence(run: Run) -> None:
    nobody_s = run("token", "create", "x", "--role", "user")
    nowhere = run("token", "list", "--tokens", "nowhere.json")

    assert (nobody_s.returncode, nowhere.returncode) == (2, 2)
    assert "give the id of the user whose token this is" in nobody_s.stderr
    assert "nowhere.json" in nowhere.stderr
    assert "Traceback" not in nobody_s.stderr + nowhere.stderr


def test_serve_lets_the_file_s_tokens_in_until_they_are_revoked(run: Run, start: Start) -> None:
    admin = run("token", "create", "ops", "--tokens", "t.json").stdout.strip()
    user = run(
        "token", "create", "ada", "--role", "user", "--user", "ada", "--tokens", "t.json"
    ).stdout.strip()
    process = start(
        "serve", "--port", "0", "--store", "memory://", COPILOT_ANALYTICS_TOKENS="t.json"
    )
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if line.startswith("Tokens"):
            break
    [url] = re.findall(r"^GraphQL +(\S+)", said, re.M)

    def ask(token: str) -> httpx.Response:
        query = {"query": "{ userActivity { userId } recorderHealth { running } }"}
        return httpx.post(url, json=query, headers={"Authorization": f"Bearer {token}"})

    assert ask(admin).json()["data"]["recorderHealth"] is not None
    answer = ask(user).json()["data"]
    assert answer == {"userActivity": {"userId": "ada"}, "recorderHealth": None}
    assert ask("x" * 46).status_code == 401
    assert run("token", "revoke", "ops", "--tokens", "t.json").returncode == 0
    # It is looked for once a second.
    while ask(admin).status_code != 401:
        pass
    assert ask(user).status_code == 200
    assert "Token " not in said
