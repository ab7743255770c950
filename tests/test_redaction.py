# ruff: noqa: RUF001 - look-alikes are what is tested

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from copilot_analytics import redaction
from copilot_analytics.redaction import (
    bound_id,
    bound_name,
    clean_text,
    fingerprint,
    normalise_error,
    redact_name,
)


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("Supplier john.doe@example.com not found", "Supplier <email> not found"),
        ("mail to o'brien+x@mail.example.co.uk, now", "mail to <email>, now"),
        ("user=j@x.org user%40example.com ｊ＠ｘ．ｏｒｇ", "user=<email> <email> <email>"),
        ("j\N{ZERO WIDTH SPACE}o@exam\N{SOFT HYPHEN}ple.org", "<email>"),
        ("call +49 (171) 123-4567 now", "call <phone> now"),
        ("call 555-123-4567 or 030 1234 567", "call <number> or <number>"),
        ("card 4111 1111 1111 1111 declined", "card <card> declined"),
        ("card 3782-822463-10005 declined", "card <card> declined"),
        ("card 4111111111111111 declined", "card <number> declined"),
        ("٤١١١١١١١ １２３", "<number>"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer <token>"),
        ("got Basic am9objpodW50ZXIy", "got Basic <token>"),
        ("password=hunter2; api_key: k-1, ok", "password=<token>; api_key: <token>, ok"),
        (
            "Authorization: Token abc, AccountKey=a/b+c==",
            "Authorization: Token <token>, AccountKey=<token>",
        ),
        ("client_secret = abcd expired", "client_secret = <token> expired"),
        ("key sk-proj-abcdefgh1234567890 refused", "key <token> refused"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "<token>"),
        ("AKIAIOSFODNN7EXAMPLE may not", "<token> may not"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d is expired", "<token> is expired"),
        ("cookie mQ3vXy7LpZ8kR2nW5tB9 is old", "cookie <token> is old"),
        ("aGVsbG8gd29ybGQgMTIzNDU2Nzg5MA== is no id", "<token> is no id"),
        ("connect to 10.0.0.1:5432 or 192.168.0.0/16", "connect to <ip> or <ip>"),
        ("from [fe80::1%eth0] or 2001:db8:0:0:0:0:0:1 or ::1", "from [<ip>] or <ip> or <ip>"),
        ("id 550E8400-e29b-41d4-a716-446655440000", "id <uuid>"),
        ("conv_550e8400-e29b-41d4-a716-446655440000", "conv_<uuid>"),
        ("of ::ffff:192.0.2.1 and d41d8cd98f00b204e9800998ecf8427e", "of <ip> and <hex>"),
        ("commit deadbeef1234 at 0x1F from 00:1A:2b:3c:4d:5e", "commit <hex> at <hex> from <hex>"),
        ("can't find 'John O'Brien' in the user's list", "can't find <text> in the user's list"),
        ('"name": "John \\"J\\" Smith"', "<text>: <text>"),
        ("KeyError: b'john'", "KeyError: <text>"),
        ("“John” and ‘it’s’ and „Hans“ and »Anna«", "<text> and <text> and <text> and <text>"),
        ("`John` ``Jane`` «Jean» 「花子」", "<text> <text> <text> <text>"),
        ("it said 'John never came back", "it said <text>"),
        ("Key (name)=(John Smith) already exists.", "Key (name)=(<text>) already exists."),
        ("Failing row contains (1, John, null).", "Failing row contains (<text>)."),
        ("open /home/john/My Files/cv.pdf failed", "open <path> failed"),
        ("~j/x, ./y, ../z, src/app/main.py", "<path>, <path>, <path>, <path>"),
        (r"C:\Users\John Smith\cv.pdf is open", "<path> is open"),
        (r"CORP\john on \\server\share\john", "<path> on <path>"),
        ("read/write over HTTP/1.1 failed", "read/write over HTTP/<number> failed"),
        ("GET https://u:p@h.example/john?q=1 was 404", "GET <url> was <number>"),
        ("postgresql+psycopg2://u:p@h/db mailto:j@x.org", "<url> <url>"),
        ("www.example.com/john is down", "<url> is down"),
        (
            "timed out after 30.5 s at 2026-01-02T10:11:12.5Z",
            "timed out after <number> s at <number>Z",
        ),
        ("line 3, column -5 of 1,000", "line <number>, column <number> of <number>"),
        ("too   many\n\tspaces ", "too many spaces"),
        ("expected str, got NoneType", "expected str, got NoneType"),
        ("", ""),
    ],
)
def test_normalised_message(message: str, normalised: str) -> None:
    assert normalise_error(message) == normalised


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("mail to john@example.com", "mail to <email>"),
        ("call +1 555 123 4567", "call <phone>"),
        ("call 555-123-4567", "call <number>"),
        ("pay 4111 1111 1111 1111", "pay <card>"),
        ("sk-proj-abcdefgh1234567890", "<token>"),
        ("550e8400-e29b-41d4-a716-446655440000", "<uuid>"),
        ("host 10.0.0.1", "host <ip>"),
        ("https://example.com/john", "<url>"),
        ("order-123456789012", "order-<number>"),
    ],
)
def test_name_without_personal_data(name: str, kept: str) -> None:
    assert redact_name(name) == kept


@pytest.mark.parametrize(
    "name",
    [
        "add-supplier",
        "create_supplier_invoice_v2_20240101",
        "/help",
        "files/read",
        "Lieferant anlegen",
        "gpt-4o-mini-2024-07-18",
        "claude-3-5-sonnet-20241022-v2:0",
        "mixtral-8x7b-instruct-v0.1",
        "llama-3.1-8b-instruct-q4_K_M",
        "XmlToJsonV2Parser",
        "getUserAccountDetailsFromServer",
        "botocore.exceptions.ClientError",
        "Net::ReadTimeout",
        "E1042",
    ],
)
def test_name_that_says_nothing_personal_stays(name: str) -> None:
    assert redact_name(name) == name


@given(st.text(max_size=1_200))
@example("0" * 1_000)
def test_normalised_message_is_bounded_clean_and_without_digits(message: str) -> None:
    normalised = normalise_error(message)
    assert len(normalised) <= 1_000
    assert normalised == clean_text(normalised)
    assert not any(sign.isdecimal() for sign in normalised)


LOCAL = st.text("abcdefghij.0123+_-", min_size=1, max_size=20)


@given(st.text(max_size=1_100), LOCAL, st.text(" \t,;:()<>", min_size=1, max_size=1))
def test_no_address_survives_wherever_it_stands(before: str, local: str, separator: str) -> None:
    address = f"{local}@mail.example.org"
    assert address not in normalise_error(f"{before}{separator}{address} was refused")


@pytest.mark.parametrize("start", range(960, 1_001))
def test_what_the_cut_would_halve_is_left_out(start: int) -> None:
    message = "word " * (start // 5) + "x" * (start % 5) + " john.doe@example.org and more"
    assert "john" not in normalise_error(message)


def test_one_megabyte_is_not_read_to_its_end() -> None:
    for filling in ("a", "a b ", "'", "a@", "/a ", "1.", "é"):
        message = filling * (1_000_000 // len(filling))
        assert normalise_error(message) == normalise_error(message[:1_001])


HOSTILE = (
    *("a", "1", "'", '"', "`", "\\", "/", "@", ":", ".", "-", "(", "%40", "«", "»", "„", "“", "‘"),
    *(
        "a@",
        "a.",
        "a b ",
        "/a ",
        "a/",
        "a:",
        "a://",
        "a-",
        "a'",
        "b'",
        "’a",
        "C:\\",
        "C:\\a ",
        "\\a",
    ),
    *(
        "1.",
        "1 ",
        "1-",
        "+1 ",
        "-1",
        "0x",
        "0a",
        "aA1",
        "AB1",
        "::",
        "::a",
        "=(",
        "= (",
        "contains (",
    ),
    *(
        "eyJa.",
        "sk-",
        "password=",
        "bearer ",
        "www.",
        "%2B",
        "(1",
        "a b c d/",
        "AKIA",
        "1.1.1.",
        "~",
    ),
)


@pytest.mark.parametrize("filling", HOSTILE)
def test_every_rule_takes_linear_time(filling: str) -> None:
    """Also without the cut: five times the text takes about five times as long, not 25 times."""

    def spent(length: int) -> float:
        text = (filling * length)[:length]
        start = time.process_time()
        redaction._apply(redaction._TEXT_RULES, text)
        redaction._apply(redaction._NAME_RULES, text)
        return time.process_time() - start

    short, long = (min(spent(length) for _ in range(3)) for length in (4_000, 20_000))
    assert long < 15 * short


def test_fingerprint_groups_by_type_and_normalised_message() -> None:
    first, second = (normalise_error(f"order {number} of 'u{number}'") for number in (17, 4711))
    assert fingerprint("ValueError", first) == fingerprint("ValueError", second)
    assert fingerprint("ValueError", first) != fingerprint("KeyError", first)
    assert fingerprint("a", "bc") != fingerprint("ab", "c")


def test_fingerprint_is_versioned_and_never_changes_within_a_version() -> None:
    assert fingerprint("ValueError", "order <number>") == "1-661b4a27028a40a0"


def test_bound_name_keeps_128_code_points() -> None:
    assert bound_name("é" * 128) == "é" * 128
    cut = bound_name("é" * 129)
    assert len(cut) == 128
    assert cut[:120] == "é" * 119 + "~"
    assert cut != bound_name("é" * 130), "names that start alike stay apart"


@given(st.text(min_size=60, max_size=400))
def test_bound_id_keeps_256_bytes(identifier: str) -> None:
    kept = bound_id(identifier)
    assert len(kept.encode()) <= 256
    if len(clean_text(identifier).encode()) <= 256:
        assert kept == clean_text(identifier)
    else:
        assert kept[-9] == "~"
        assert kept != bound_id(identifier + "x")


@pytest.mark.parametrize("sign", ["\0", "\n", "\x7f", "\x85", "\ud800", "\u2028", "\u202e"])
def test_control_characters_and_lone_surrogates_are_replaced(sign: str) -> None:
    assert clean_text(f"a{sign}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_clean_text_keeps_every_script_and_emoji() -> None:
    text = "Grüße 花子 👩\N{ZERO WIDTH JOINER}🚀 نص"
    assert clean_text(text) == text
