# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a migration as one page that needs nothing but itself: no script, no network, any screen, paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader, Undefined

from ._text import DASH, duration, moment, number, size, value_text
from ._view import view_of

TEMPLATE = "report.html.j2"
FILTERS = {"number": number, "size": size, "duration": duration, "moment": moment, "value": value_text}


class _Environment(Environment):
    """Jinja's, but a mapping's keys come first and its methods never (a part may have a key C(keys) or C(values))."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


def render(document: Mapping[str, Any]) -> str:
    """The HTML of a Report (see _document). Every text of the document comes out as text, whatever it contains."""
    environment = _Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name, write in FILTERS.items():
        environment.filters[name] = _or_dash(write)
    return environment.get_template(TEMPLATE).render(view=view_of(document))


def _or_dash(write: Callable[[Any], str]) -> Callable[[Any], str]:
    """What a part does not say is a dash."""
    return lambda value: DASH if isinstance(value, Undefined) else write(value)
