# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of text that others wrote: output, errors, SQL."""

from __future__ import annotations

import json
import re
import shlex
from typing import Iterable, List, Set
from urllib.parse import quote, quote_plus

MASK = "********"


def spellings(secret: str) -> Set[str]:
    """Every way in which I(secret) is commonly written down: as it is, in URLs, ini files, SQL, Python, JSON, shells."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="!$&'()*+,;=:")}
    encoded |= {re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), form) for form in encoded}
    forms = {secret} | encoded
    forms |= {form.replace("%", "%%") for form in forms}
    forms |= {repr(secret)[1:-1], repr(repr(secret))[2:-2], secret.replace("\\", "\\\\").replace("'", "\\'")}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], shlex.quote(secret)}
    forms |= {secret.replace("'", "''"), secret.replace("'", "''").replace("%", "%%")}
    return forms


class Mask:
    """Called with a text, gives it back without any of I(secrets) in any of their spellings."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: Set[str] = set()
        for secret in secrets:
            if secret:
                forms |= spellings(secret)
        # The longest first: a shorter spelling may be part of a longer one.
        self._forms: List[str] = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text
