# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation names every value rule that there is, and no other."""

from __future__ import annotations

import re

import yaml

from ansible_collections.mcps.postgres.plugins.doc_fragments._mapping import ModuleDocFragment
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rules import RULES


def test_every_rule_is_documented_with_its_types_and_options() -> None:
    rules = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["rules"]["suboptions"]
    entries = {}
    for line in rules["rule"]["description"][1:]:
        match = re.match(r"V\((\w+)\) (.*)", line)
        assert match, line
        entries[match[1]] = match[2]
    assert list(entries) == list(RULES)
    for name, text in entries.items():
        types = set(re.findall(r"V\(([^)]+)\)", text.split(" For ")[1]))
        assert types == (RULES[name].types or set()), name
    options = set().union(*(rule.options for rule in RULES.values()))
    assert all(f"V({option})" in rules["options"]["description"][0] for option in options)
