# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No spelling of a secret is left, and nothing else is touched."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._masking import MASK, Mask

AWKWARD = "s3cr%t@:/ '\"\\é"
SPELLINGS = {
    "raw": str,
    "url": lambda secret: quote(secret, safe=""),
    "path": quote,
    "form": quote_plus,
    "lower case": lambda secret: re.sub("%..", lambda match: match.group().lower(), quote(secret, safe="")),
    "ini": lambda secret: secret.replace("%", "%%"),
    "url in ini": lambda secret: quote(secret, safe="").replace("%", "%%"),
    "python": lambda secret: repr(secret)[1:-1],
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json in utf-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "sql": lambda secret: secret.replace("'", "''"),
    "shell": shlex.quote,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_goes(spelling: str) -> None:
    written = SPELLINGS[spelling](AWKWARD)
    assert Mask([AWKWARD])(f"before {written}, after") == f"before {MASK}, after"


@given(st.text(min_size=6), st.text(), st.text(), st.sampled_from(sorted(SPELLINGS)))
def test_nothing_of_a_secret_is_left(secret: str, before: str, after: str, spelling: str) -> None:
    try:
        written = SPELLINGS[spelling](secret)
    except UnicodeEncodeError:
        return
    shown = Mask([secret])(f"{before}{written}{after}")
    assert written not in shown or written in MASK


def test_a_secret_within_another_one_goes_as_well() -> None:
    assert Mask(["abc", "abcdef"])("abcdef abc") == f"{MASK} {MASK}"


def test_other_text_stays() -> None:
    text = "100%% of 'it'\n"
    assert Mask([])(text) == Mask([""])(text) == Mask(["other"])(text) == text
