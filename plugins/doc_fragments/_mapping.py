# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables and columns go where; mirrors mapping_spec of module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  include:
    description:
      - Tables of the source that are moved. Shell wildcards (V(*), V(?), V([abc])), case-sensitive.
    type: list
    elements: str
    default:
      - "*"
  exclude:
    description:
      - Tables of the source that are left out, although O(include) matches them. Shell wildcards, case-sensitive.
    type: list
    elements: str
    default: []
  exclude_columns:
    description:
      - Columns of the source that are left out, as V(table.column). Shell wildcards, case-sensitive.
    type: list
    elements: str
    default: []
  rename_tables:
    description:
      - Tables whose name differs on the two sides, as source name and target name.
      - Names that are equal but for case or quoting need no entry.
    type: dict
    default: {}
  rename_columns:
    description:
      - Columns whose name differs on the two sides, as V(table.column) of the source and the column's name in the target.
    type: dict
    default: {}
  rules:
    description:
      - Value rules for data that SQLite accepted and PostgreSQL does not, each declared for the columns it may touch.
      - Without a rule no value is ever changed. A value that does not fit its column is an error.
      - Rules are tried in order, and every one whose patterns match a column applies to it.
    type: list
    elements: dict
    default: []
    suboptions:
      table:
        description:
          - Tables of the source that the rule is for. Shell wildcards, case-sensitive.
        type: str
        default: "*"
      column:
        description:
          - Columns of the source that the rule is for. Shell wildcards, case-sensitive.
        type: str
        default: "*"
      rule:
        description:
          - Name of the rule.
          - >-
            V(map) replaces listed values by others; its option is V(values). For any type.
          - >-
            V(default) puts a value where NULL is not allowed; its option is V(value). For any type.
          - >-
            V(empty_to_null) makes text without any character but blanks NULL. For any type.
          - >-
            V(strip_nul) removes NUL characters from text. For V(character), V(character varying), V(citext),
            V(enum), V(json), V(jsonb), V(text), V(uuid).
          - >-
            V(replace_invalid_utf8) puts U+FFFD for bytes that are not UTF-8. For V(character), V(character
            varying), V(citext), V(enum), V(json), V(jsonb), V(text), V(uuid).
          - >-
            V(latin1) reads text that is not UTF-8 as ISO 8859-1. For V(character), V(character varying), V(citext),
            V(enum), V(json), V(jsonb), V(text), V(uuid).
          - >-
            V(decode_utf8) takes a BLOB of UTF-8 as text. For V(character), V(character varying), V(citext),
            V(enum), V(json), V(jsonb), V(text), V(uuid).
          - >-
            V(encode_utf8) takes text as its UTF-8 bytes. For V(bytea).
          - >-
            V(to_text) takes INTEGER and REAL as their decimal text. For V(character), V(character varying),
            V(citext), V(enum), V(text), V(uuid).
          - >-
            V(to_integer) takes whole REAL and decimal text as integer. For V(bigint), V(boolean), V(double
            precision), V(integer), V(numeric), V(real), V(smallint).
          - >-
            V(to_number) takes decimal text as a number. For V(double precision), V(real).
          - >-
            V(truncate) cuts text at the declared length. For V(character), V(character varying).
          - >-
            V(round) rounds half to even to what the type keeps. For V(bigint), V(double precision), V(integer),
            V(numeric), V(real), V(smallint), V(timestamp without time zone).
          - >-
            V(epoch_seconds) takes numbers as seconds since 1970 UTC. For V(date), V(timestamp with time zone),
            V(timestamp without time zone).
          - >-
            V(epoch_milliseconds) takes numbers as milliseconds since 1970 UTC. For V(date), V(timestamp with time
            zone), V(timestamp without time zone).
          - >-
            V(julian_day) takes numbers as julian days, UTC. For V(date), V(timestamp with time zone), V(timestamp
            without time zone).
          - >-
            V(offset_to_utc) moves times with an offset to UTC and drops the offset. For V(timestamp without time
            zone).
          - >-
            V(assume_utc) takes times without an offset as UTC. For V(timestamp with time zone).
          - >-
            V(seconds) takes numbers as seconds. For V(interval).
          - >-
            V(json_null_to_null) makes a JSON null SQL NULL. For any type.
          - >-
            V(json_strip_nul) removes \u0000 from texts of a document. For V(json), V(jsonb).
          - >-
            V(json_nan_to_null) makes NaN and Infinity of a document null. For V(json), V(jsonb).
          - >-
            V(json_last_key) keeps the last of equal keys of an object. For V(json), V(jsonb).
        type: str
        required: true
      options:
        description:
          - What the rule needs to know. V(map) has V(values), the listed values (as SQLite shows them) and what stands for
            each; V(default) has V(value).
        type: dict
        default: {}
"""
