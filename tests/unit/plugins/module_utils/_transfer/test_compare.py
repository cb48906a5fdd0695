# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison against a naive one, with both sides played by lists in whatever order a database may give them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mcps.postgres.plugins.module_utils._transfer import _compare
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._compare import KeyRange, compare_table
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._fast import Span
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._keys import OrderTerm, key_plan
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._model import (
    ColumnMap,
    RuleUse,
    SourceColumn,
    SourceTable,
    TableMap,
    TargetColumn,
    TargetTable,
)
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._ports import SourceRow
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._rows import RowConverter
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._types import parse_type
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._values import InvalidText
from ansible_collections.mcps.postgres.plugins.module_utils._transfer._verdict import TableVerdict

TargetRow = Tuple[Optional[str], ...]


def make_map(
    columns: Sequence[Tuple[str, str]],
    key: Sequence[str] = ("id",),
    rename: Optional[Dict[str, str]] = None,
    rules: Optional[Dict[str, RuleUse]] = None,
    rowid: Optional[str] = "rowid",
) -> TableMap:
    new = rename or {}
    targets = tuple(TargetColumn(new.get(name, name), parse_type(kind), not_null=name in key) for name, kind in columns)
    source = SourceTable("t", tuple(SourceColumn(name) for name, _ in columns), tuple(key), rowid=rowid)
    target = TargetTable("public", "t", targets, tuple(new.get(name, name) for name in key))
    return TableMap(
        source,
        target,
        tuple(
            ColumnMap(name, column, (rules[name],) if rules and name in rules else ())
            for (name, _), column in zip(columns, targets, strict=True)
        ),
    )


def sqlite_order(value: Any) -> Tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    if isinstance(value, InvalidText):
        return 2, value.raw
    return (2, value.encode()) if isinstance(value, str) else (3, value)


class ListSource:
    """Rows as dictionaries; ordered the way SQLite orders, and otherwise as they lie."""

    def __init__(self, rows: Iterable[Dict[str, Any]]) -> None:
        self.content = [{"rowid": number, **row} for number, row in enumerate(rows, 1)]
        self.open = 0

    def tables(self) -> List[SourceTable]:
        return []

    def fingerprint(self) -> str:
        return ""

    def count(self, table: SourceTable) -> int:
        return len(self.content)

    def rows(
        self,
        table: SourceTable,
        columns: Sequence[str],
        order_by: Sequence[str] = (),
        after: Optional[SourceRow] = None,
        span: Optional[Span] = None,
    ) -> Iterator[SourceRow]:
        ordered = sorted(self.content, key=lambda row: [sqlite_order(row[name]) for name in order_by])
        self.open += 1
        try:
            for row in ordered:
                yield tuple(row[name] for name in columns)
        finally:
            self.open -= 1


class ListTarget:
    """Rows of literals; ordered by the key when asked to, or never (I(obeys) false)."""

    def __init__(self, table: TableMap, rows: Iterable[Sequence[Optional[str]]], obeys: bool = True) -> None:
        names = [column.target.name for column in table.columns]
        self.content: List[Dict[str, Optional[str]]] = [
            {**dict(zip(names, row, strict=True)), "ctid": f"(0,{number})"} for number, row in enumerate(rows, 1)
        ]
        keys = [column.target for column in table.key_columns or ()]
        self.key_names = [column.name for column in keys]
        self.plan = key_plan(keys) if keys else None
        self.obeys = obeys
        self.open = 0
        self.asked: List[Tuple[OrderTerm, ...]] = []

    def rows(
        self,
        table: TargetTable,
        columns: Sequence[str],
        order_by: Sequence[OrderTerm],
        between: Optional[KeyRange] = None,
    ) -> Iterator[TargetRow]:
        self.asked.append(tuple(order_by))
        content = list(self.content)
        plan = self.plan
        if order_by and self.obeys and plan is not None:
            content.sort(key=lambda row: plan.bytes_of([row[name] for name in self.key_names]))
        self.open += 1
        try:
            for row in content:
                yield tuple(row[name] for name in columns)
        finally:
            self.open -= 1


class ListSpool:
    alive = 0

    def __init__(self) -> None:
        self.items: List[Tuple[bytes, bytes]] = []
        ListSpool.alive += 1

    def fill(self, items: Iterable[Tuple[bytes, bytes]]) -> None:
        self.items.extend(items)

    def sorted(self) -> Iterator[Tuple[bytes, bytes]]:
        yield from sorted(self.items)

    def close(self) -> None:
        ListSpool.alive -= 1


class Counting:
    """A Progress that adds up."""

    def __init__(self) -> None:
        self.rows = 0
        self.events: List[str] = []

    def begin(self, table: str, total_rows: int) -> None:
        self.events.append(f"begin {table} {total_rows}")

    def advance(self, rows: int, size: int = 0, table: str = "") -> None:
        assert table, "others may be at work on other tables"
        self.rows += rows

    def end(self, table: str = "") -> None:
        self.events.append(f"end {table}")


def compare(table: TableMap, source: ListSource, target: ListTarget, **options: Any) -> TableVerdict:
    verdict = compare_table(table, source, target, ListSpool, **options)
    assert (source.open, target.open, ListSpool.alive) == (0, 0, 0)
    return verdict


def loaded(table: TableMap, source: ListSource) -> List[List[Optional[str]]]:
    """What an exact load makes of the source."""
    converter = RowConverter(table)
    return [converter.convert(tuple(row[name] for name in converter.columns)) for row in source.content]


def found(verdict: TableVerdict) -> List[Tuple[str, str, str, str, str]]:
    return [(d.kind, d.key, d.column, d.source, d.target) for d in verdict.differences]


PLAIN = make_map([("id", "integer"), ("name", "text"), ("score", "double precision")])


def test_equal_tables() -> None:
    source = ListSource([{"id": number, "name": f"n{number}", "score": number / 3} for number in range(50)])
    progress = Counting()
    verdict = compare(PLAIN, source, ListTarget(PLAIN, loaded(PLAIN, source)), progress=progress)
    assert verdict.equal
    assert (verdict.source_rows, verdict.target_rows, verdict.values) == (50, 50, 150)
    assert verdict.order == "streamed"
    assert (progress.events, progress.rows) == (["begin t 50", "end t"], 50)


def test_each_kind_of_difference_is_named() -> None:
    source = ListSource([{"id": 1, "name": "a", "score": 0.5}, {"id": 2, "name": "b", "score": None}])
    target = ListTarget(PLAIN, [("1", "a ", "0.5"), ("3", "c", None)])
    verdict = compare(PLAIN, source, target)
    assert found(verdict) == [
        ("different", "id=1", "name", "'a'", "'a '"),
        ("missing", "id=2", "", "id=2, name='b', score=NULL", "(no row)"),
        ("extra", "id=3", "", "(no row)", "id='3', name='c', score=NULL"),
    ]
    assert (verdict.missing, verdict.extra, verdict.different) == (1, 1, 1)


def test_differences_are_bounded_and_counted() -> None:
    source = ListSource([{"id": number, "name": "x", "score": 1.0} for number in range(100)])
    target = ListTarget(PLAIN, [(str(number), "y", "2") for number in range(90)])
    verdict = compare(PLAIN, source, target, limit=7)
    assert len(verdict.differences) == 7
    assert (verdict.different, verdict.missing) == (180, 10)


ROWS = st.dictionaries(
    st.integers(-5, 12),
    st.tuples(st.sampled_from(["", "a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, None])),
    max_size=12,
)


@given(ROWS, ROWS, st.booleans())
def test_merge_join_against_dictionaries(left: Any, right: Any, obeys: bool) -> None:
    source = ListSource([{"id": key, "name": name, "score": score} for key, (name, score) in left.items()])
    target = ListTarget(
        PLAIN, [(str(key), name, None if score is None else repr(score)) for key, (name, score) in right.items()], obeys
    )
    verdict = compare(PLAIN, source, target, limit=1000)
    pairs = [(left[key], right[key]) for key in left.keys() & right.keys()]
    assert verdict.missing == len(left.keys() - right.keys())
    assert verdict.extra == len(right.keys() - left.keys())
    assert verdict.different == sum(repr(a) != repr(b) for one, two in pairs for a, b in zip(one, two, strict=True))
    assert {d.key for d in verdict.differences if d.kind == "missing"} == {
        f"id={k}" for k in left.keys() - right.keys()
    }
    assert {d.key for d in verdict.differences if d.kind == "extra"} == {f"id={k}" for k in right.keys() - left.keys()}


BAG = make_map([("name", "text"), ("score", "double precision")], key=())
KEYED_BAG = make_map([("id", "integer"), ("name", "text")])
PAIR = st.tuples(st.sampled_from(["", "a", None]), st.sampled_from([0.0, 1.5, None]))


@given(st.lists(PAIR, max_size=10), st.lists(PAIR, max_size=10))
def test_rows_without_a_key_are_a_multiset(left: Any, right: Any) -> None:
    source = ListSource([{"name": name, "score": score} for name, score in left])
    target = ListTarget(BAG, [(name, None if score is None else repr(score)) for name, score in right])
    verdict = compare(BAG, source, target, limit=1000)
    assert verdict.missing == sum((Counter(left) - Counter(right)).values())
    assert verdict.extra == sum((Counter(right) - Counter(left)).values())
    assert verdict.different == 0
    for difference in verdict.differences:
        if difference.kind == "missing":
            rowid = int(difference.key.split("=")[1])
            assert difference.source.startswith(
                f"name={'NULL' if left[rowid - 1][0] is None else repr(left[rowid - 1][0])},"
            )
        else:
            number = int(difference.key.split(",")[1][:-1])
            assert difference.target.startswith(
                f"name={'NULL' if right[number - 1][0] is None else repr(right[number - 1][0])},"
            )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=8),
)
def test_keys_that_occur_twice(left: Any, right: Any) -> None:
    source = ListSource([{"id": key, "name": name} for key, name in left])
    target = ListTarget(KEYED_BAG, [(str(key), name) for key, name in right])
    verdict = compare(KEYED_BAG, source, target, limit=1000)
    twice = len({key for key, _ in left}) < len(left) or len({key for key, _ in right}) < len(right)
    if not twice:
        assert verdict.order == "streamed"
        return
    assert verdict.order == "content"
    assert verdict.missing == sum((Counter(left) - Counter(right)).values())
    assert verdict.extra == sum((Counter(right) - Counter(left)).values())


@given(
    st.sets(st.uuids(), max_size=12),
    st.lists(st.sampled_from(["hex", "HEX", "dashed", "blob"]), min_size=12, max_size=12),
    st.booleans(),
)
def test_uuid_keys_in_every_spelling(keys: Any, spellings: Sequence[str], obeys: bool) -> None:
    table = make_map([("id", "uuid"), ("name", "text")])
    spell = {"hex": lambda u: u.hex, "HEX": lambda u: u.hex.upper(), "dashed": str, "blob": lambda u: u.bytes}
    source = ListSource([{"id": spell[how](key), "name": str(key)} for key, how in zip(keys, spellings, strict=False)])
    target = ListTarget(table, [(str(key), str(key)) for key in keys], obeys)
    verdict = compare(table, source, target)
    assert verdict.equal
    assert verdict.values == 2 * len(keys)


@given(st.sets(st.integers(0, 2000), max_size=15))
def test_integers_that_become_text_sort_otherwise(keys: Any) -> None:
    table = make_map([("id", "text"), ("name", "text")], rules={"id": RuleUse("to_text")})
    source = ListSource([{"id": key, "name": "x"} for key in keys])
    verdict = compare(table, source, ListTarget(table, [(str(key), "x") for key in keys]))
    assert verdict.equal


def test_order_is_chosen_by_what_the_rows_show() -> None:
    table = make_map([("id", "text")], rules={"id": RuleUse("to_text")})
    source = ListSource([{"id": 9}, {"id": 10}])
    assert compare(table, source, ListTarget(table, [("10",), ("9",)])).order == "source"
    assert compare(table, source, ListTarget(table, [("9",), ("10",)], obeys=False)).order == "both"
    spans = make_map([("id", "interval")])
    days = ListSource([{"id": "P1D"}, {"id": "PT1H"}])
    assert compare(spans, days, ListTarget(spans, [("PT1H",), ("P1D",)])).order == "both"


def test_progress_counts_rows_once_although_the_order_changed() -> None:
    table = make_map([("id", "text")], rules={"id": RuleUse("to_text")})
    # As numbers and as text they rise alike, until 10000 comes behind 9999.
    keys = range(10_000 - 2 * _compare.CHUNK, 10_100)
    progress = Counting()
    verdict = compare(
        table,
        ListSource([{"id": key} for key in keys]),
        ListTarget(table, [(str(key),) for key in keys]),
        progress=progress,
    )
    assert (verdict.equal, verdict.order) == (True, "source")
    assert progress.rows == len(keys)


def test_key_renamed_and_of_another_type() -> None:
    table = make_map([("key", "numeric(10,2)"), ("v", "text")], key=("key",), rename={"key": "number"})
    source = ListSource([{"key": 1.5, "v": "a"}, {"key": "10", "v": "b"}, {"key": 2, "v": "c"}])
    target = ListTarget(table, [("1.50", "a"), ("2.00", "c"), ("10.00", "B")])
    assert found(compare(table, source, target)) == [("different", "key='10'", "v", "'b'", "'B'")]


COMPOSITE = make_map([("a", "text"), ("b", "integer"), ("v", "text")], key=("b", "a"))


@given(
    st.dictionaries(
        st.tuples(st.text(alphabet="aAé\uffff\U00010000 ", max_size=2), st.integers(-2, 2)),
        st.sampled_from("xy"),
        max_size=9,
    ),
    st.dictionaries(
        st.tuples(st.text(alphabet="aAé\uffff\U00010000 ", max_size=2), st.integers(-2, 2)),
        st.sampled_from("xy"),
        max_size=9,
    ),
)
def test_composite_keys(left: Any, right: Any) -> None:
    source = ListSource([{"a": a, "b": b, "v": v} for (a, b), v in left.items()])
    verdict = compare(COMPOSITE, source, ListTarget(COMPOSITE, [(a, str(b), v) for (a, b), v in right.items()]))
    assert verdict.order == "streamed"
    assert verdict.missing == len(left.keys() - right.keys())
    assert verdict.extra == len(right.keys() - left.keys())
    assert verdict.different == sum(left[key] != right[key] for key in left.keys() & right.keys())


def test_composite_key_is_named_in_key_order() -> None:
    source = ListSource([{"a": "x", "b": 1, "v": "v"}])
    assert found(compare(COMPOSITE, source, ListTarget(COMPOSITE, [("x", "1", "w")]))) == [
        ("different", "b=1, a='x'", "v", "'v'", "'w'")
    ]


# Rows that do not fit


def test_a_value_that_does_not_fit_is_a_difference() -> None:
    source = ListSource(
        [{"id": 1, "name": b"\xff", "score": 0.5}, {"id": 2, "name": InvalidText(b"\xff"), "score": 1.0}]
    )
    target = ListTarget(PLAIN, [("1", "?", "0.25")])
    verdict = compare(PLAIN, source, target)
    assert (verdict.missing, verdict.different) == (1, 2)
    assert [(d.kind, d.key, d.column) for d in verdict.differences] == [
        ("different", "id=1", "name"),
        ("different", "id=1", "score"),
        ("missing", "id=2", "name"),
    ]
    assert "blob where text is expected" in verdict.differences[0].source
    assert "not UTF-8" in verdict.differences[2].target


@pytest.mark.parametrize("key", ["abc", 2**40, None, b"1"])
def test_a_key_that_does_not_fit_is_missing(key: Any) -> None:
    source = ListSource([{"id": key, "name": "a", "score": None}, {"id": 1, "name": "b", "score": None}])
    verdict = compare(PLAIN, source, ListTarget(PLAIN, [("1", "b", None)]))
    assert (verdict.missing, verdict.extra, verdict.different, verdict.source_rows) == (1, 0, 0, 2)
    assert verdict.differences[0].column == "id"


def test_rows_that_do_not_fit_survive_sorting_on_disk() -> None:
    source = ListSource([{"id": 1, "name": InvalidText(b"\xff"), "score": 0.5}, {"id": 2, "name": "b", "score": 0.5}])
    target = ListTarget(PLAIN, [("2", "b", "0.5"), ("1", "?", "0.5")], obeys=False)
    verdict = compare(PLAIN, source, target)
    assert verdict.order == "both"
    assert [(d.kind, d.key, d.column, d.target) for d in verdict.differences] == [("different", "id=1", "name", "'?'")]
    assert verdict.differences[0].source.startswith("invalid UTF-8 x'ff'")


# Quarantine


def quarantine(*keys: Any) -> FrozenSet[Tuple[Any, ...]]:
    return frozenset((key,) for key in keys)


def test_quarantined_rows_are_expected_to_be_absent() -> None:
    source = ListSource(
        [
            {"id": 1, "name": b"x", "score": None},
            {"id": 2, "name": "b", "score": None},
            {"id": "x", "name": "", "score": None},
        ]
    )
    verdict = compare(PLAIN, source, ListTarget(PLAIN, [("2", "b", None)]), quarantined=quarantine(1, "x"))
    assert verdict.equal
    assert (verdict.quarantined, verdict.source_rows, verdict.target_rows) == (2, 3, 1)


def test_a_quarantined_row_in_the_target_is_extra() -> None:
    source = ListSource([{"id": 1, "name": "a", "score": None}])
    verdict = compare(PLAIN, source, ListTarget(PLAIN, [("1", "a", None)]), quarantined=quarantine(1))
    assert [(d.kind, d.key) for d in verdict.differences] == [("extra", "id=1")]


def test_one_of_two_colliding_keys_is_quarantined() -> None:
    table = make_map([("id", "uuid"), ("name", "text")])
    key = "0123456789abcdef0123456789abcdef"
    source = ListSource([{"id": key, "name": "a"}, {"id": key.upper(), "name": "b"}])
    target = ListTarget(table, [("01234567-89ab-cdef-0123-456789abcdef", "a")])
    verdict = compare(table, source, target, quarantined=quarantine(key.upper()))
    assert verdict.equal
    assert not compare(table, source, target).equal


def test_quarantined_by_rowid_where_there_is_no_key() -> None:
    source = ListSource([{"name": "a", "score": None}, {"name": "a", "score": None}])
    verdict = compare(BAG, source, ListTarget(BAG, [("a", None)]), quarantined=quarantine(2))
    assert verdict.equal
    assert verdict.quarantined == 1


# Sequences


def test_outermost_values_of_both_sides() -> None:
    source = ListSource([{"id": number, "name": "", "score": None} for number in (3, 9, 5)])
    target = ListTarget(PLAIN, [("3", "", None), ("12", "", None)])
    verdict = compare(PLAIN, source, target, watch={"id": False})
    assert (verdict.source_extremes, verdict.target_extremes) == ({"id": 9}, {"id": 12})
    verdict = compare(PLAIN, source, target, watch={"id": True})
    assert (verdict.source_extremes, verdict.target_extremes) == ({"id": 3}, {"id": 3})


def test_a_quarantined_row_may_come_back_so_its_key_counts() -> None:
    source = ListSource([{"id": 3, "name": "", "score": None}, {"id": 99, "name": b"", "score": None}])
    verdict = compare(
        PLAIN, source, ListTarget(PLAIN, [("3", "", None)]), watch={"id": False}, quarantined=quarantine(99)
    )
    assert verdict.source_extremes == {"id": 99}


# Leaving early


@pytest.mark.parametrize("obeys", [True, False])
def test_an_interrupt_closes_both_sides(obeys: bool) -> None:
    source = ListSource([{"id": number, "name": "", "score": None} for number in range(3 * _compare.CHUNK)])
    target = ListTarget(PLAIN, loaded(PLAIN, source)[::-1], obeys)

    class Impatient(Counting):
        def advance(self, rows: int, size: int = 0, table: str = "") -> None:
            super().advance(rows, size, table)
            if self.rows >= 2 * _compare.CHUNK:
                raise KeyboardInterrupt

    # The traceback keeps all frames alive, so that nothing is closed by being forgotten.
    with pytest.raises(KeyboardInterrupt) as caught:
        compare_table(PLAIN, source, target, ListSpool, progress=Impatient())
    assert caught.tb is not None
    assert (source.open, target.open, ListSpool.alive) == (0, 0, 0)
