from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest

from copilot_analytics.config import SETTINGS, AnalyticsConfig
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.events import ValueKind

KEY = "k" * 32


def test_defaults() -> None:
    assert dataclasses.asdict(AnalyticsConfig.from_env({})) == {
        "enabled": True,
        "store": "sqlite:///copilot-analytics.db",
        "adapter": "omnitrack",
        "pseudonymise_key": None,
        "error_text": "normalised",
        "trust_client_identity": False,
        "identity_header": None,
        "identity_query": None,
        "extra_keys": {},
        "max_pending": 100_000,
        "batch_size": 5_000,
        "flush_interval": 1.0,
        "spool": "auto",
        "spool_dir": None,
        "spool_max_bytes": 268_435_456,
        "write_interval": 5.0,
        "event_retention_days": 90,
        "rollup_retention_days": 800,
        "cache_url": None,
        "strict": False,
    }
    assert AnalyticsConfig() == AnalyticsConfig.from_env({})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *(("enabled", text, False) for text in ("0", "false", "No", " OFF ")),
        *(("strict", text, True) for text in ("1", "True", "yes", "on")),
        ("store", "sqlite:////var/lib/a.db", "sqlite:////var/lib/a.db"),
        ("adapter", "json", "json"),
        ("pseudonymise_key", KEY, KEY),
        ("error_text", "TYPE_ONLY", "type_only"),
        ("trust_client_identity", "on", True),
        ("identity_header", "X-User-Id", "X-User-Id"),
        ("identity_query", "user", "user"),
        ("max_pending", "10", 10),
        ("batch_size", "1", 1),
        ("flush_interval", "0.25", 0.25),
        ("spool", "AUTO", "auto"),
        ("spool", "1", "on"),
        ("spool", "no", "off"),
        ("spool_dir", "/var/spool/copilot", "/var/spool/copilot"),
        ("cache_url", "redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("spool_max_bytes", "2000000", 2_000_000),
        ("write_interval", "0.5", 0.5),
        ("event_retention_days", "30", 30),
        ("rollup_retention_days", "90", 90),
        (
            "extra_keys",
            "plan, seats:count,",
            {"plan": ValueKind.LABEL, "seats": ValueKind.COUNT},
        ),
    ],
)
def test_variable_sets_its_setting(name: str, text: str, value: object) -> None:
    config = AnalyticsConfig.from_env({f"COPILOT_ANALYTICS_{name.upper()}": text})
    assert getattr(config, name) == value


def test_every_setting_is_tested_has_a_meaning_and_its_variable() -> None:
    assert [setting.name for setting in SETTINGS] == [
        field.name for field in dataclasses.fields(AnalyticsConfig)
    ]
    for setting in SETTINGS:
        assert setting.variable == f"COPILOT_ANALYTICS_{setting.name.upper()}"
        assert setting.meaning.endswith(".")
        assert getattr(AnalyticsConfig(), setting.name) == setting.default


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("enabled", "maybe", "use 1, true, yes or on, or 0, false, no or off"),
        ("error_text", "full", "use normalised or type_only"),
        ("max_pending", "lots", "use a whole number"),
        ("max_pending", "0", "use a whole number from 1 to 10000000"),
        ("batch_size", "1e3", "use a whole number"),
        ("batch_size", "1000000", "use a whole number from 1 to 100000"),
        ("flush_interval", "soon", "use a number"),
        ("flush_interval", "nan", "use a number from 0.01 to 3600"),
        ("flush_interval", "0", "use a number from 0.01 to 3600"),
        ("spool", "perhaps", "use auto, on or off"),
        ("spool_max_bytes", "1000", "use a whole number from 1048576 to 1099511627776"),
        ("write_interval", "0", "use a number from 0.01 to 3600"),
        ("event_retention_days", "-1", "use a whole number from 1 to 36500"),
        ("identity_header", "X User", "use the name of an HTTP header"),
        ("extra_keys", "Plan", "name 'Plan' in snake_case"),
        ("extra_keys", "step_2", "name 'step_2' in snake_case, each part starting with a letter"),
        ("extra_keys", "intent", "choose another name than 'intent'"),
        ("extra_keys", "plan:text", "give 'plan' one of the kinds count, duration"),
        ("extra_keys", "plan:name", "give 'plan' one of the kinds count, duration"),
    ],
)
def test_bad_variable_is_an_error_with_its_name_value_and_remedy(
    name: str, text: str, remedy: str
) -> None:
    variable = f"COPILOT_ANALYTICS_{name.upper()}"
    with pytest.raises(ConfigurationError) as caught:
        AnalyticsConfig.from_env({variable: text})
    assert str(caught.value).startswith(f"{variable} cannot be {text!r}: {remedy}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enabled", 1),
        ("store", ""),
        ("store", None),
        ("adapter", " "),
        ("error_text", None),
        ("error_text", []),
        ("identity_header", ""),
        ("identity_query", " "),
        ("max_pending", True),
        ("max_pending", 10.0),
        ("batch_size", "5"),
        ("flush_interval", float("nan")),
        ("spool", True),
        ("spool_dir", " "),
        ("extra_keys", ["plan"]),
        ("extra_keys", {5: ValueKind.LABEL}),
        ("extra_keys", {"plan": []}),
        ("extra_keys", {"p" * 65: ValueKind.LABEL}),
    ],
)
def test_bad_argument_is_an_error_with_its_name_and_value(name: str, value: Any) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ConfigurationError) as caught:
        AnalyticsConfig(**arguments)
    assert (caught.value.setting, caught.value.value) == (name, value)


def test_rollups_must_outlive_events() -> None:
    with pytest.raises(ConfigurationError, match="COPILOT_ANALYTICS_ROLLUP_RETENTION_DAYS"):
        AnalyticsConfig(event_retention_days=90, rollup_retention_days=89)


def test_kinds_of_extra_keys_may_be_given_as_texts() -> None:
    kinds: Any = {"plan": "label"}
    assert AnalyticsConfig(extra_keys=kinds).extra_keys == {"plan": ValueKind.LABEL}


def test_secret_is_in_no_text() -> None:
    assert KEY not in repr(AnalyticsConfig(pseudonymise_key=KEY))
    with pytest.raises(ConfigurationError, match="at least 32 bytes") as caught:
        AnalyticsConfig(pseudonymise_key="too short")
    assert "too short" not in f"{caught.value} {caught.value!r} {caught.value.args}"
    # As Python reads a variable that is no UTF-8.
    for unusable in ("too short", "no text \udcff" * 8):
        with pytest.raises(ConfigurationError, match="at least 32 bytes") as caught:
            AnalyticsConfig.from_env({"COPILOT_ANALYTICS_PSEUDONYMISE_KEY": unusable})
        assert unusable not in f"{caught.value} {caught.value.args}"
        assert repr(unusable)[1:-1] not in f"{caught.value!r} {caught.value.args}"


def test_argument_wins_over_variable_also_over_a_bad_one() -> None:
    variables = {"COPILOT_ANALYTICS_STORE": "x://", "COPILOT_ANALYTICS_BATCH_SIZE": "many"}
    config = AnalyticsConfig.from_env(variables, store="memory://", batch_size=7)
    assert (config.store, config.batch_size) == ("memory://", 7)


def test_empty_variable_is_not_set() -> None:
    config = AnalyticsConfig.from_env({"COPILOT_ANALYTICS_MAX_PENDING": " "})
    assert config.max_pending == 100_000


def test_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPILOT_ANALYTICS_ENABLED", "0")
    assert not AnalyticsConfig.from_env().enabled


def test_the_table_s_variable_names_a_store_where_none_is_set() -> None:
    variables = {"ANALYTICS_TABLE_NAME": "copilot"}
    other = {**variables, "COPILOT_ANALYTICS_STORE": "memory://"}

    assert AnalyticsConfig.from_env(variables).store == "dynamodb://copilot"
    assert AnalyticsConfig.from_env(other).store == "memory://"
    assert AnalyticsConfig.from_env(variables, store="memory://").store == "memory://"
    assert AnalyticsConfig.from_env({"ANALYTICS_TABLE_NAME": " "}).store.startswith("sqlite:")


def test_spools_lie_where_the_state_of_programs_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    by_home = tmp_path / ".local/state/copilot-analytics/spool"
    assert AnalyticsConfig().spool_folder == by_home

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert AnalyticsConfig().spool_folder == tmp_path / "state/copilot-analytics/spool"

    assert AnalyticsConfig(spool_dir="~/spool").spool_folder == tmp_path / "spool"

    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert AnalyticsConfig().spool_folder is None

    monkeypatch.chdir(tmp_path)
    assert AnalyticsConfig(spool_dir="spool").spool_folder == tmp_path / "spool"


def test_a_spool_is_refused_where_there_are_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot_analytics.config.SUPPORTED", False)

    assert AnalyticsConfig(spool="auto").spool == "auto"
    with pytest.raises(ConfigurationError, match="does not have the file locks"):
        AnalyticsConfig(spool="on")


def test_unknown_variables_are_one_warning_with_suggestions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    variables = {
        "COPILOT_ANALYTICS_ENABLE": "1",
        "COPILOT_ANALYTICS_QQQQ": "secret value",
        "COPILOT_ANALYTICS_TOKEN": "secret value",
        "COPILOT_ANALYTICS_TEST_DYNAMODB": "http://localhost:8000",
        "COPILOT_ANALYTICS_STRICT": "0",
        "OTHER": "1",
    }
    with caplog.at_level(logging.WARNING, "copilot_analytics"):
        AnalyticsConfig.from_env(variables)
    assert caplog.messages == [
        "ignoring variables that are no settings: COPILOT_ANALYTICS_ENABLE (did you mean "
        "COPILOT_ANALYTICS_ENABLED?), COPILOT_ANALYTICS_QQQQ"
    ]


def test_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        AnalyticsConfig().enabled = False  # type: ignore[misc]
