# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long values, which are written out a piece at a time."""

from __future__ import annotations

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._sqlite._source import text_value
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._codecs import codec_for
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import (
    LONG,
    InvalidText,
    LongHex,
    LongText,
    Misfit,
    plain,
)


@pytest.mark.parametrize("before", range(4))
def test_a_long_text_is_its_pieces(before: int) -> None:
    """Whatever character the end of a piece falls into."""
    text = "x" * (LONG - before) + "\U0001f600é" + "y" * LONG
    raw = text.encode()
    told: list[bool] = []
    long = text_value(told, raw)
    assert isinstance(long, LongText) and len(long) == len(raw) and told
    pieces = list(long.pieces())
    assert "".join(pieces) == str(long) == text
    assert len(pieces) == 3 and max(map(len, pieces)) <= LONG
    assert plain((1, long, None)) == (1, text, None)


def test_texts_that_are_short_or_no_utf_8_are_no_long_ones() -> None:
    told: list[bool] = []
    assert text_value(told, b"x" * LONG) == "x" * LONG and not told
    for raw in (b"x" * LONG + b"\xff", b"x" * LONG + "é".encode()[:1]):
        assert text_value(told, raw) == InvalidText(raw)


def test_a_long_blob_is_its_pieces() -> None:
    value = bytes(range(256)) * (LONG // 100)
    long = LongHex(value)
    assert "".join(long.pieces()) == str(long) == "\\x" + value.hex()
    assert len(long) == len(str(long)) and max(map(len, long.pieces())) <= 2 * LONG


def test_codecs_send_a_long_text_as_it_is_or_as_what_they_make_of_it() -> None:
    text, vector = LongText(b"x" * LONG + "é".encode()), "[" + "1," * LONG + "1]"
    sent = codec_for(parse_type("text"))
    assert sent is not None and sent.sent(text) is text
    document = LongText(b'["' + b"x" * LONG + b'"]')
    for name, value in (("jsonb", document), ("json", document), ("vector", LongText(vector.encode()))):
        codec = codec_for(parse_type(name))
        assert codec is not None and codec.sent(value) == codec.encode(str(value))
    for name, value, kind in (
        ("text", LongText(b"x" * LONG + b"\x00"), "nul_character"),
        ("character varying(5)", text, "too_long"),
        ("integer", text, "storage_class"),
        ("jsonb", text, "invalid_json"),
    ):
        codec = codec_for(parse_type(name))
        assert codec is not None
        with pytest.raises(Misfit) as caught:
            codec.sent(value)
        assert caught.value.kind == kind
