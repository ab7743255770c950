from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_analytics import encoding
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.encoding import decode_metadata, encode_metadata, to_stored_names
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.events import ALL_METADATA_KEYS, MetadataValue, ValueKind

VALUES: st.SearchStrategy[MetadataValue] = (
    st.booleans()
    | st.integers(0, 10**12)
    | st.floats(0, 1e12)
    | st.text(st.characters(exclude_categories=["Cs"]))
)


@given(st.dictionaries(st.sampled_from(sorted(ALL_METADATA_KEYS)), VALUES))
def test_documented_metadata_comes_back_under_the_same_names(
    metadata: dict[str, MetadataValue],
) -> None:
    (text,) = encode_metadata([metadata])
    assert decode_metadata(text) == metadata
    assert {type(value) for value in decode_metadata(text).values()} == {
        type(value) for value in metadata.values()
    }
    assert set(json.loads(text)) == {ALL_METADATA_KEYS[name].stored for name in metadata}


@given(st.text("abz019_", min_size=1, max_size=12), VALUES)
def test_every_extra_key_that_may_be_registered_comes_back(name: str, value: MetadataValue) -> None:
    try:
        AnalyticsConfig(extra_keys={name: ValueKind.LABEL})
    except ConfigurationError:
        return
    metadata = {name: value, "intent": "x"}
    (text,) = encode_metadata([metadata])
    assert decode_metadata(text) == metadata


@pytest.mark.parametrize(
    ("name", "stored"), [("execution_ms", "executionMs"), ("plan", "plan"), ("a_b2_c", "aB2C")]
)
def test_stored_names_are_camel_case(name: str, stored: str) -> None:
    (text,) = encode_metadata([{name: 1}])
    assert json.loads(text) == {stored: 1}


METADATA = st.dictionaries(
    st.sampled_from(sorted(ALL_METADATA_KEYS)) | st.sampled_from(["class", "a_b2_c", "plan"]),
    VALUES,
    max_size=4,
)


@given(st.lists(METADATA, max_size=5))
def test_many_are_encoded_as_each_dict_is(metadata: list[dict[str, MetadataValue]]) -> None:
    assert encode_metadata(metadata) == [
        msgspec.json.encode(to_stored_names(one)).decode() for one in metadata
    ]


def test_combinations_of_keys_are_not_learned_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_MAX_SHAPES", 3)
    monkeypatch.setattr(encoding, "_shapes", {})
    for number in range(10):
        assert encode_metadata([{f"key_{number}": "line\nline"}, {}]) == [
            f'{{"key{number}":"line\\nline"}}',
            "{}",
        ]
    assert len(encoding._shapes) == 3
