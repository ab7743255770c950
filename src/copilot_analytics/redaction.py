r"""What may be stored: text without personal data, names and ids within bounds.

Whatever is recognised as personal becomes a placeholder such as `<email>`. That also makes equal
what differs in nothing else, so that the normalised message of an error can be what its fingerprint
is made of. Unquoted personal names cannot be recognised.

It takes time in proportion to the input's length, however hostile: a pattern starts only where a
run of its characters starts (a look-behind sees to that), takes what it matches for good (`++`,
`*+`) or is bounded, and only the start of a long text is read at all.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

__all__ = [
    "MAX_ID_BYTES",
    "MAX_NAME_LENGTH",
    "MAX_TEXT_LENGTH",
    "bound_id",
    "bound_name",
    "clean_text",
    "fingerprint",
    "normalise_error",
    "redact_name",
    "stored_name",
]

MAX_TEXT_LENGTH = 1_000
"""So many code points of an error's message or of a name are read, and of a message kept."""

MAX_NAME_LENGTH = 128
"""Longer names are cut, in code points."""

MAX_ID_BYTES = 256
"""Longer ids are cut, in bytes of UTF-8."""

_FINGERPRINT_VERSION = 1
_CUT_MARK = "\N{HORIZONTAL ELLIPSIS}"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_VISIBLE_ASCII = string.ascii_letters + string.digits + string.punctuation

# Controls, lone surrogates, separators of lines and paragraphs, and what turns text round.
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")

_DIGITS = string.digits
_Replacement = str | Callable[[re.Match[str]], str]


class _Rule(NamedTuple):
    """A pattern and what takes its place; ASCII text that has none of `signs` is not searched."""

    signs: frozenset[str]
    pattern: re.Pattern[str]
    replacement: _Replacement


def _rule(signs: str, pattern: str, replacement: _Replacement) -> _Rule:
    return _Rule(frozenset(signs), re.compile(pattern, re.VERBOSE), replacement)


def _is_opaque(segment: str) -> bool:
    """Say whether letters and digits are mixed as no word or name mixes them."""
    if len(segment) < 12:
        return False
    kinds = ["d" if sign.isdigit() else "U" if sign.isupper() else "l" for sign in segment]
    changes = [pair for pair in pairwise(kinds) if pair[0] != pair[1]]
    at_digits = sum("d" in pair for pair in changes)
    if at_digits >= 3 and at_digits * 5 >= len(segment):
        return True
    return len(segment) >= 20 and len(changes) * 20 >= len(segment) * 9


def _token_or_word(found: re.Match[str]) -> str:
    run = found[0]
    return "<token>" if any(map(_is_opaque, re.split("[_+/=-]", run))) else run


def _path_or_words(found: re.Match[str]) -> str:
    """Keep `and/or`, `HTTP/1.1` and `3/4`."""
    run = found[0]
    if run.count("/") == 1 and not re.search(r"\.[^\W\d]", run):
        return run
    return "<path>" if any(map(str.isalpha, run)) else run


_QUOTED = _rule(
    "\"'`",
    r"""
    "(?: [^"\\] | \\.? )*+ (?: " | \Z )
    | (?<!\w) [bBfFrRuU]{0,2} ' (?: [^'\\] | \\.? | '(?=\w) )*+ (?: ' | \Z )
    | `++ [^`]*+ `*+
    | \u201c [^\u201d]*+ (?: \u201d | \Z )                       # English
    | \u2018 (?: [^\u2019] | \u2019(?=\w) )*+ (?: \u2019 | \Z )
    | \u201e [^\u201c\u201d]*+ (?: [\u201c\u201d] | \Z )         # German
    | \u00bb [^\u00ab\u00bb]*+ \u00ab
    | \u00ab [^\u00bb]*+ (?: \u00bb | \Z )                       # French
    | \u300c [^\u300d]*+ (?: \u300d | \Z )                       # Japanese
    """,
    "<text>",
)
# PostgreSQL: Key (name)=(…) already exists; Failing row contains (…).
_ROW = _rule("(", r"(= | \bcontains[ ]) \( [^)]*+ (?: \) | \Z )", r"\1(<text>)")
_URL = _rule(
    ":.",
    r"""
    (?<![\w+.-])
    (?: [a-zA-Z][\w+.-]{1,30}+ :// | (?: mailto | tel | sms | data | urn | blob ) : | www\. )
    [^\s<>]++
    """,
    "<url>",
)
_CREDENTIAL = _rule(
    ":=",
    r"""(?i)
    ( (?<![a-z])
      (?: pass (?:word|wd|phrase)? | pwd | secret | token | signature | credential
        | (?: api | access | account | private | shared | secret ) [_-]? key
        | authorization | cookie | session (?:[_-]?id)? ) s?
      \s{0,3} [:=] \s{0,3} (?: (?: bearer | basic | digest | token ) \s{1,3} )? )
    [^\s,;&<>]++
    """,
    r"\1<token>",
)
_BEARER = _rule(
    "bB", r"( (?<![a-zA-Z]) [bB] (?: earer | asic ) \s{1,3} ) [^\s,;&<>]++", r"\1<token>"
)
_KEY = _rule(
    _DIGITS,
    r"""
    (?<![\w.-]) eyJ [\w-]{8,}+ (?: \.[\w-]*+ ){0,4}+                                    # JWT
    | (?<![\w-])
      (?: (?: sk | pk | rk | hf | npm | gh[opsur] | github_pat | glpat | xox[a-z] | SG | whsec )
          [_.-] (?= [\w.-]{0,40}\d ) [\w.-]{12,}+
        | (?: AKIA | ASIA | AIza | ya29\. ) [\w-]{12,}+ )
    """,
    "<token>",
)
_EMAIL = _rule(
    "@%",
    r"""
    (?<![\w.+'~^%-]) (?: [\w.+'~^-] | % (?!40) [0-9a-fA-F]{2} )++
    (?: (?: @ | %40 ) [\w.-]++ )++
    """,
    "<email>",
)
_UUID = _rule(
    "-",
    r"""
    (?<![0-9a-zA-Z]) [0-9a-fA-F]{8} (?: -[0-9a-fA-F]{4} ){3} -[0-9a-fA-F]{12} (?![0-9a-zA-Z])
    """,
    "<uuid>",
)
_PATH = _rule(
    "/\\",
    r"""
    (?: (?<!\w) [a-zA-Z]: [\\/]                                           # C:\, also with spaces
      | (?<![\w/.~<\\-]) (?: ~[\w-]{0,64} | \.{1,2} )? / (?=[^\s/<>]) )
    (?: [^\s\\/<>|"*?:,;=]++ (?: [ ] [^\s\\/<>|"*?:,;=]++ ){0,2}+ [\\/] )*+
    [^\s\\/<>|"*?:,;=)\]}]*+
    | (?<![\w.$\\-]) [\w.$-]*+ \\ [^\s<>]++                              # \\host\share, DOMAIN\user
    """,
    "<path>",
)
_RELATIVE_PATH = _rule(
    "/", r"(?<![\w.@+~%/-]) [\w.@+~%-]++ (?: / [\w.@+~%-]++ )++ /?", _path_or_words
)
_IPV4 = _rule(
    ".",
    r"(?<![\w.]) \d{1,3} (?: \.\d{1,3} ){3} (?: /\d{1,2} )? (?: :\d{1,5} )? (?! \.?\w )",
    "<ip>",
)
_IPV6 = _rule(
    ":",
    r"""
    (?<![\w:.]) (?= [0-9a-fA-F:.]*:: | (?: [0-9a-fA-F]{1,4}: ){7} ) (?= :*+[0-9a-fA-F] )
    [0-9a-fA-F:.]++ (?: %\w++ )? (?!\w)
    """,
    "<ip>",
)
_TOKEN = _rule(string.ascii_letters, r"(?<![\w+/-]) [\w+/-]{16,}+ ={0,2}", _token_or_word)
_HEX = _rule(
    _DIGITS,
    r"""
    (?<![\w:-]) (?: [0-9a-fA-F]{2} [:-] ){5,7} [0-9a-fA-F]{2} (?![\w:-])                  # MAC
    | (?<![0-9a-zA-Z]) 0[xX] [0-9a-fA-F]++
    | (?<![0-9a-zA-Z]) (?= [a-fA-F]*+\d ) (?= \d*+[a-fA-F] ) [0-9a-fA-F]{8,}+ (?![0-9a-zA-Z])
    """,
    "<hex>",
)
_CARD = _rule(
    _DIGITS,
    r"""
    (?<![\w-])
    (?: \d{4} ([ -]) \d{4} \1 \d{4} \1 \d{1,7} | \d{4} ([ -]) \d{6} \2 \d{5} )
    (?![\w-])
    """,
    "<card>",
)
_PHONE = _rule("+", r"(?<![\w+]) \+ \(? \d (?: [ ()./-]{0,2} \d ){6,14} (?!\d)", "<phone>")
# Also what is grouped as dates, times, and telephone and card numbers without their marks are.
_NUMBER = _rule(_DIGITS, r"(?: (?<![\w)]) [+-] )? \d++ (?: [.,:_ T/-] \d++ )*+", "<number>")
_LONG_NUMBER = _rule(
    _DIGITS,
    r"""
    (?<!\d) (?! (?:19|20)\d\d (?: ([-./_]) \d\d \1 \d\d | [01]\d[0-3]\d ) (?!\d) )
    \(? \d (?: [ ()./-]{0,2} \d ){8,30} (?!\d)
    """,
    "<number>",
)

_TEXT_RULES = (
    _QUOTED,
    _ROW,
    _URL,
    _CREDENTIAL,
    _BEARER,
    _KEY,
    _EMAIL,
    _UUID,
    _PATH,
    _RELATIVE_PATH,
    _IPV6,
    _IPV4,
    _HEX,
    _TOKEN,
    _CARD,
    _PHONE,
    _NUMBER,
)
_NAME_RULES = (_URL, _KEY, _EMAIL, _UUID, _IPV6, _IPV4, _HEX, _TOKEN, _CARD, _PHONE, _LONG_NUMBER)


def normalise_error(text: str) -> str:
    """Return an error's message without personal data and without what differs each time.

    E-mail addresses, telephone and card numbers, tokens, keys, IP addresses, UUIDs, hashes, quoted
    strings, paths, URLs and all other numbers become placeholders; white space becomes single
    spaces. Only the first `MAX_TEXT_LENGTH` code points are read, less a word that would be cut in
    two, and at most as many are returned.
    """
    rest = ""
    if len(text) > MAX_TEXT_LENGTH:
        text = text[:MAX_TEXT_LENGTH].rstrip(_VISIBLE_ASCII)
        rest = _CUT_MARK
    if not text.isascii():
        # So that full-width digits and signs, and letters with invisible ones between, are seen.
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    text = clean_text(" ".join(text.split()))
    return (_apply(_TEXT_RULES, text) + rest)[:MAX_TEXT_LENGTH]


def redact_name(name: str) -> str:
    """Return a name (of a command, intent, model, …) without personal data.

    Unlike in messages, words, paths, versions and dates stay: they tell names apart.
    """
    return _apply(_NAME_RULES, name)


def fingerprint(error_type: str, normalised: str) -> str:
    """Return what groups errors of one type and normalised message: `1-` and 16 hex digits.

    The number is the version of the rules above: fingerprints of two versions never meet.
    """
    content = f"{error_type}\0{normalised}".encode("utf-8", "surrogatepass")
    return f"{_FINGERPRINT_VERSION}-{blake2b(content, digest_size=8).hexdigest()}"


def bound_name(name: str) -> str:
    """Return a name of at most 128 code points; a longer one ends in `~` and 8 hex of its hash."""
    if len(name) <= MAX_NAME_LENGTH:
        return name
    mark = _cut_mark(name.encode("utf-8", "surrogatepass"))
    return name[: MAX_NAME_LENGTH - len(mark)] + mark


def stored_name(name: str) -> str:
    """Return a name as it is stored: without personal data, cleaned and bounded; "" for a blank.

    The same for the same name, so that whoever stores it and whoever asks for it agree.
    """
    return bound_name(redact_name(clean_text(name[:MAX_TEXT_LENGTH].strip())))


def bound_id(identifier: str) -> str:
    """Return an id, cleaned, of at most 256 bytes; a longer one ends in `~` and 8 hex of its hash.

    The same for the same id, so that whoever stores it and whoever asks for it agree.
    """
    identifier = clean_text(identifier)
    if len(identifier) * 4 <= MAX_ID_BYTES:
        return identifier
    encoded = identifier.encode()
    if len(encoded) <= MAX_ID_BYTES:
        return identifier
    mark = _cut_mark(encoded)
    return encoded[: MAX_ID_BYTES - len(mark)].decode(errors="ignore") + mark


def clean_text(text: str) -> str:
    """Return text with U+FFFD for control characters, lone surrogates and the like."""
    return text if text.isprintable() else _UNCLEAN.sub(_REPLACEMENT, text)


def _cut_mark(encoded: bytes) -> str:
    return "~" + blake2b(encoded, digest_size=4).hexdigest()


def _apply(rules: Sequence[_Rule], text: str) -> str:
    # Other alphabets have digits, quotes and signs of their own.
    present = set(text) if text.isascii() else None
    for signs, pattern, replacement in rules:
        if present is None or not present.isdisjoint(signs):
            text = pattern.sub(replacement, text)
    return text
