# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to run, found from the two schemas: no application is known here by name."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._sqlite._names import Sql, joined, literal, quoted
from ._model import WHOLE_NUMBERS, Index, Pair, Plan, Query, Sampler, TableFacts, WritePlan
from ._sql import Statement, column_list, literally, words

#: A table with fewer rows shows nothing.
FEWEST_ROWS = 50
#: Shares of the rows that a searched term should be in.
SHARES = (0.001, 0.01, 0.1, 0.3)
PER_KIND = 2
#: Rows of one page of a list.
PAGE = 20
VALUES = 20
DISTANCES = {"vector_cosine_ops": ("<=>", "cosine"), "vector_l2_ops": ("<->", "l2"), "vector_ip_ops": ("<#>", "ip")}
CONFIGURATION = re.compile(r"to_tsvector\(\s*'([^']+)'::(?:pg_catalog\.)?regconfig")
WORD = re.compile(r"[A-Za-z]{4,20}")
#: Types whose columns are worth grouping and filtering by.
GROUPED = ("boolean", "text", "character varying", *WHOLE_NUMBERS)


def plan_work(tables: Sequence[TableFacts], sampler: Sampler, declared: Sequence[Mapping[str, str]] = ()) -> Plan:
    """Everything that can be asked of both sides, the largest tables first."""
    ordered = sorted(tables, key=lambda table: (-table.rows, table.name))
    large = [table for table in ordered if table.rows >= FEWEST_ROWS]
    plan = Plan(write=_write_plan(large, sampler))
    if plan.write is None:
        plan.leave_out("writes", f"no table of at least {FEWEST_ROWS} rows could be written to: see the documentation")
    typical = _typical(large, sampler)
    plan.queries = {
        "reads": [query for query in typical if query.facts["kind"] in ("key", "newest")],
        "latency": typical + [_declared(one) for one in declared],
        "search": _searches(large, sampler),
        "json": list(_containments(large, sampler, "jsonb")),
        "arrays": list(_containments(large, sampler, "array")),
        "vectors": list(_vectors(large, sampler)),
    }
    for promise, missing in MISSING.items():
        if not plan.queries[promise]:
            plan.leave_out(promise, missing)
    return plan


MISSING = {
    "reads": f"no table of at least {FEWEST_ROWS} rows has a primary key of one column on both sides",
    "latency": f"no table of at least {FEWEST_ROWS} rows has a primary key of one column on both sides",
    "search": "no text column has a full-text (tsvector, GIN) or trigram index in PostgreSQL",
    "json": "no jsonb column has a GIN index",
    "arrays": "no array column has a GIN index",
    "vectors": "no vector column has an HNSW or IVFFlat index",
}


def _declared(query: Mapping[str, str]) -> Query:
    return Query(query["name"], literally(query["sqlite"]), literally(query["postgres"]), facts={"kind": "declared"})


def _in(table: TableFacts, columns: Tuple[str, ...], **names: str) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Names for a statement of either side: I(table), its I(columns), and further columns by their place in it."""
    sqlite: Dict[str, Any] = {"table": table.name, "columns": column_list(columns)}
    postgres: Dict[str, Any] = {
        "table": table_name(table),
        "columns": column_list(tuple(table.target_of(column) for column in columns)),
    }
    for place, column in names.items():
        sqlite[place] = column
        postgres[place] = table.target_of(column)
        postgres[f"{place}_type"] = Sql(table.type_of(column))
    return sqlite, postgres


def table_name(table: TableFacts) -> Sql:
    """The target's table with its schema."""
    return joined(".", [quoted(table.map.target.schema), quoted(table.map.target.name)])


def _moved(table: TableFacts) -> Tuple[str, ...]:
    return tuple(column.source for column in table.map.columns)


# Typical queries


def _typical(tables: Sequence[TableFacts], sampler: Sampler) -> List[Query]:
    keyed = [table for table in tables if table.key]
    found = [_by_key(table, sampler) for table in keyed[:PER_KIND]]
    found += _first(PER_KIND, keyed, lambda table: _newest(table, sampler))
    found += _first(PER_KIND, keyed, lambda table: _counted(table, sampler))
    found += _first(1, keyed, lambda table: _joined(table, keyed))
    return found


def _first(count: int, tables: Sequence[TableFacts], make: Callable[[TableFacts], Optional[Query]]) -> List[Query]:
    """The queries that I(make) makes of the first tables from which it can."""
    found: List[Query] = []
    for table in tables:
        query = make(table) if len(found) < count else None
        if query is not None:
            found.append(query)
    return found


def _by_key(table: TableFacts, sampler: Sampler) -> Query:
    key = table.key or ""
    sqlite, postgres = _in(table, _moved(table), key=key)
    return Query(
        f"{table.name} by its key",
        Statement("SELECT {columns} FROM {table} WHERE {key} = {p1}", sqlite, 1),
        Statement("SELECT {columns} FROM {table} WHERE {key} = {p1}::{key_type}", postgres, 1),
        _distinct(sampler.pairs(table, [key])),
        {"kind": "key", "table": table.name, "rows": table.rows},
    )


def _common_indexes(table: TableFacts) -> Iterator[Tuple[str, ...]]:
    """Columns (the source's names) of b-tree indexes that both sides have."""
    there = {index.columns for index in table.indexes if index.method == "btree" and not index.partial}
    for columns in table.source_indexes:
        if columns != (table.key,) and tuple(table.target_of(column) for column in columns) in there:
            yield columns


def _newest(table: TableFacts, sampler: Sampler) -> Optional[Query]:
    """Filter by one column, order by another, as a page of a list does."""
    for columns in _common_indexes(table):
        if len(columns) != 2 or columns in table.source_unique:
            continue
        values = _distinct(sampler.pairs(table, [columns[0]]))
        if not values:
            continue
        sqlite, postgres = _in(table, _moved(table), filter=columns[0], order=columns[1])
        form = (
            "SELECT {{columns}} FROM {{table}} WHERE {{filter}} = {{p1}}{cast} AND {{order}} IS NOT NULL"
            " ORDER BY {{order}} DESC LIMIT 20"
        )
        return Query(
            f"{table.name} by {columns[0]}, the last 20 by {columns[1]}",
            Statement(form.format(cast=""), sqlite, 1),
            Statement(form.format(cast="::{filter_type}"), postgres, 1),
            values,
            {"kind": "newest", "table": table.name, "rows": table.rows},
        )
    return None


def _counted(table: TableFacts, sampler: Sampler) -> Optional[Query]:
    """How many rows have a value in a column in which values repeat."""
    for columns in _common_indexes(table):
        pairs = sampler.pairs(table, [columns[0]])
        values = _distinct(pairs)
        if not values or len(values) > len(pairs) / 2:
            continue
        sqlite, postgres = _in(table, (), filter=columns[0])
        return Query(
            f"{table.name} counted by {columns[0]}",
            Statement("SELECT count(*) FROM {table} WHERE {filter} = {p1}", sqlite, 1),
            Statement("SELECT count(*) FROM {table} WHERE {filter} = {p1}::{filter_type}", postgres, 1),
            values,
            {"kind": "counted", "table": table.name, "rows": table.rows},
            (Statement("CREATE INDEX ON {table} ({filter})", postgres),) if len(columns) > 1 else (),
        )
    return None


def _joined(child: TableFacts, tables: Sequence[TableFacts]) -> Optional[Query]:
    """All rows of a child counted by what their parents are like, as a statistics page does."""
    parents = {table.name: table for table in tables}
    for foreign in child.map.source.foreign_keys:
        parent = parents.get(foreign.parent)
        if parent is None or len(foreign.columns) != 1 or foreign.parent_columns != (parent.key,):
            continue
        column = _grouping(parent)
        if not column or not child.target_of(foreign.columns[0]):
            continue
        sqlite: Dict[str, Any] = {"child": child.name, "parent": parent.name, "group": column}
        sqlite.update(key=parent.key, reference=foreign.columns[0])
        postgres: Dict[str, Any] = {"child": table_name(child), "parent": table_name(parent)}
        postgres.update(group=parent.target_of(column), key=parent.target_of(parent.key or ""))
        postgres.update(reference=child.target_of(foreign.columns[0]))
        form = (
            "SELECT p.{group}, count(*) FROM {child} AS c JOIN {parent} AS p ON p.{key} = c.{reference}"
            " GROUP BY p.{group} ORDER BY 2 DESC LIMIT 20"
        )
        return Query(
            f"all of {child.name} by {column} of {parent.name}",
            Statement(form, sqlite),
            Statement(form, postgres),
            facts={"kind": "joined", "table": child.name, "rows": child.rows},
            candidates=(
                Statement("CREATE INDEX ON {parent} ({key}) INCLUDE ({group})", postgres),
                Statement("CREATE INDEX ON {child} ({reference})", postgres),
            ),
        )
    return None


def _grouping(table: TableFacts) -> str:
    """A column of few values: the first of an index, no key, no reference."""
    references = {column for foreign in table.map.source.foreign_keys for column in foreign.columns}
    taken = {table.key, *references, *(columns[0] for columns in table.source_unique if len(columns) == 1)}
    choices = [columns[0] for columns in _common_indexes(table) if columns[0] not in taken]
    # An enumeration or a truth value rather than a name.
    choices.sort(key=lambda column: table.type_of(column).split("(")[0] in GROUPED[1:])
    return choices[0] if choices else ""


def _distinct(pairs: Sequence[Pair]) -> Tuple[Pair, ...]:
    """Different values, none of them NULL."""
    found: Dict[Any, Pair] = {}
    for sqlite, postgres in pairs:
        if None not in sqlite and None not in postgres:
            found.setdefault(postgres, (sqlite, postgres))
    return tuple(found.values())[:VALUES]


# Search


def _searches(tables: Sequence[TableFacts], sampler: Sampler) -> List[Query]:
    full_text = [(table, index) for table in tables for index in table.indexes if _is_full_text(table, index)]
    found: List[Query] = []
    for table, index in full_text[:PER_KIND]:
        found += _full_text(table, index, sampler)
    trigrams = [
        (table, index)
        for table in tables
        for index in table.indexes
        if index.method in ("gin", "gist") and index.classes[:1] in (("gin_trgm_ops",), ("gist_trgm_ops",))
        if not index.partial and len(index.columns) == 1 and table.map.source_of(index.columns[0])
    ]
    for table, index in trigrams[:1]:
        found += _trigrams(table, index, sampler)
    return found


def _is_full_text(table: TableFacts, index: Index) -> bool:
    if index.partial or index.method not in ("gin", "gist") or len(index.columns) != 1:
        return False
    column = index.columns[0]
    is_vector = "to_tsvector" in index.expression if not column else table.types.get(column) == "tsvector"
    return is_vector and bool(_searched(table, index))


def _searched(table: TableFacts, index: Index) -> List[str]:
    """The source's columns that are searched; where a trigger fills the vector, all of text."""
    column = index.columns[0]
    names = index.sources if not column else table.generated.get(column, ())
    if not names:
        names = tuple(name for name, kind in table.types.items() if kind.split("(")[0] in GROUPED[1:3])
    sources = (table.map.source_of(name) for name in names)
    return [source for source in sources if source]


def _full_text(table: TableFacts, index: Index, sampler: Sampler) -> Iterator[Query]:
    vector = Sql(index.expression) if not index.columns[0] else quoted(index.columns[0])
    searched = _searched(table, index)
    for terms, share in _terms(sampler.lexemes(table, vector)):
        term, size = " ".join(terms), len(searched)
        places = {f"c{number}": column for number, column in enumerate(searched, 1)}
        like = " AND ".join(
            "(" + " OR ".join(f"{{c{number}}} LIKE {{p{before + number}}}" for number in range(1, size + 1)) + ")"
            for before in range(0, size * len(terms), size)
        )
        sqlite, postgres = _in(table, ())
        sqlite.update(places)
        postgres["vector"] = vector
        # What is stored are word stems already: they are not to be stemmed again.
        match = "{vector} @@ plainto_tsquery('simple', {p1})"
        values = ((tuple(f"%{word}%" for word in terms for _ in searched), (term,)),)
        bound = len(searched) * len(terms)
        facts = {"kind": "full text", "term": term, "share": round(share, 5), "table": table.name, "rows": table.rows}
        yield Query(
            f"{table.name} with '{term}' counted",
            Statement(words("SELECT count(*) FROM {table} WHERE", like), sqlite, bound),
            Statement(words("SELECT count(*) FROM {table} WHERE", match), postgres, 1),
            values,
            facts,
        )
        if not table.key:
            continue
        sqlite, postgres = dict(sqlite, key=table.key), dict(postgres, key=table.target_of(table.key))
        newest = f"ORDER BY {{key}} DESC LIMIT {PAGE}"
        yield Query(
            f"{table.name} with '{term}', the last 20",
            Statement(words("SELECT {key} FROM {table} WHERE", like, newest), sqlite, bound),
            Statement(words("SELECT {key} FROM {table} WHERE", match, newest), postgres, 1),
            values,
            {**facts, "limit": PAGE},
        )


def _terms(lexemes: Sequence[Tuple[str, float]]) -> List[Tuple[Tuple[str, ...], float]]:
    """A search for each of SHARES, as near to it as there is one: a word, or two where all words are too common.

    Two words are taken to be in a row independently of one another.
    """
    found: Dict[Tuple[str, ...], float] = {}
    plain = sorted(((share, word) for word, share in lexemes if WORD.fullmatch(word)))
    for wanted in SHARES if plain else ():
        share, word = _nearest(plain, wanted)
        terms: Tuple[str, ...] = (word,)
        if share > 2 * wanted and len(plain) > 1:
            rarest, first = plain[0]
            other, second = _nearest(plain[1:], wanted / rarest)
            terms, share = (first, second), rarest * other
        found.setdefault(terms, share)
    return list(found.items())


def _nearest(words_by_share: Sequence[Tuple[float, str]], wanted: float) -> Tuple[float, str]:
    return min(words_by_share, key=lambda each: abs(each[0] - wanted) / (each[0] + wanted))


def _trigrams(table: TableFacts, index: Index, sampler: Sampler) -> Iterator[Query]:
    source = table.map.source_of(index.columns[0]) or ""
    pairs = sampler.pairs(table, [source])
    texts = [str(sqlite[0]) for sqlite, _ in pairs if isinstance(sqlite[0], str)]
    counts = Counter(word.lower() for text in texts for word in set(WORD.findall(text)))
    ordered = sorted(counts, key=lambda word: (counts[word], word))
    for term in dict.fromkeys([*ordered[:1], *ordered[-1:]]):
        sqlite, postgres = _in(table, (), column=source)
        yield Query(
            f"{table.name} with '{term}' in {source} counted",
            Statement("SELECT count(*) FROM {table} WHERE {column} LIKE {p1}", sqlite, 1),
            Statement("SELECT count(*) FROM {table} WHERE {column} ILIKE {p1}", postgres, 1),
            (((f"%{term}%",), (f"%{term}%",)),),
            {
                "kind": "trigram",
                "term": term,
                "share": round(counts[term] / len(texts), 5),
                "table": table.name,
                "rows": table.rows,
            },
        )


# Documents, arrays, vectors


def _containments(tables: Sequence[TableFacts], sampler: Sampler, kind: str) -> Iterator[Query]:
    count = 0
    for table in tables:
        for index in table.indexes:
            column = index.columns[0]
            source = table.map.source_of(column) if len(index.columns) == 1 and column else None
            if count >= PER_KIND or index.method != "gin" or index.partial or not source:
                continue
            of_type = table.types[column]
            if of_type != "jsonb" if kind == "jsonb" else not of_type.endswith("[]"):
                continue
            query = _containment(table, source, of_type, sampler)
            if query is not None:
                count += 1
                yield query


def _containment(table: TableFacts, source: str, of_type: str, sampler: Sampler) -> Optional[Query]:
    """Rows whose document (or array) holds a value that few others hold."""
    held: Counter[Tuple[str, Any]] = Counter()
    for sqlite, _ in sampler.pairs(table, [source]):
        held.update(set(_parts(sqlite[0])))
    of_objects = [part for part in held if part[0]]
    parts = sorted(of_objects or held, key=lambda part: (held[part], str(part)))[:5]
    if not parts or (of_objects and of_type != "jsonb"):
        return None
    sqlite_names, postgres_names = _in(table, (), column=source)
    form = "SELECT count(*) FROM {table} WHERE {column} @> {p1}::{column_type}"
    if of_objects:
        match, bound = "json_extract({column}, {p1}) = {p2}", 2
        values: List[Pair] = [((f"$.{json.dumps(key)}", value), (json.dumps({key: value}),)) for key, value in parts]
    else:
        match, bound = "EXISTS (SELECT 1 FROM json_each({table}.{column}) AS e WHERE e.value = {p1})", 1
        values = [((value,), (_list(value, of_type),)) for _, value in parts]
    return Query(
        f"{table.name} by what is in {source}",
        Statement(words("SELECT count(*) FROM {table} WHERE", match), sqlite_names, bound),
        Statement(form, postgres_names, 1),
        tuple(values),
        {"kind": of_type, "table": table.name, "rows": table.rows},
        (Statement("CREATE INDEX ON {table} USING gin ({column} jsonb_path_ops)", postgres_names),)
        if of_type == "jsonb"
        else (),
    )


def _parts(text: Any) -> Iterator[Tuple[str, Any]]:
    """The plain texts and whole numbers in a JSON list, with an empty name, or in an object, with theirs."""
    try:
        document = json.loads(text) if isinstance(text, (str, bytes)) else None
    except ValueError:
        return
    items: Sequence[Tuple[str, Any]] = ()
    if isinstance(document, list):
        items = [("", value) for value in document]
    elif isinstance(document, dict):
        items = [(name, value) for name, value in document.items() if name and '"' not in name]
    for name, value in items:
        if (isinstance(value, str) and "\\" not in json.dumps(value)) or type(value) is int:
            yield name, value


def _list(value: Any, of_type: str) -> str:
    """A list of one value as PostgreSQL reads it."""
    text = json.dumps(value, ensure_ascii=False)
    return f"[{text}]" if of_type == "jsonb" else f"{{{text}}}"


def _vectors(tables: Sequence[TableFacts], sampler: Sampler) -> Iterator[Query]:
    for table in tables:
        for index in table.indexes:
            how = DISTANCES.get(index.classes[0]) if len(index.classes) == 1 else None
            column = index.columns[0]
            if how is None or index.partial or index.method not in ("hnsw", "ivfflat") or not table.key:
                continue
            names = [column, *table.generated.get(column, ())]
            source = next((name for name in map(table.map.source_of, names) if name), None)
            pairs = sampler.pairs(table, [source], [column]) if source else []
            wanted = [text for _, (text,) in pairs if text][:5]
            if not wanted:
                continue
            operator, name = how
            sqlite, _ = _in(table, (), key=table.key, column=source or "")
            sqlite["how"] = literal(name)
            postgres = {"table": table_name(table), "key": table.target_of(table.key), "column": column}
            postgres.update(type=Sql(table.types[column]), operator=Sql(_operator(operator, table.types[column])))
            yield Query(
                f"{table.name}, the 10 nearest to a vector",
                Statement(
                    "SELECT {key} FROM {table} WHERE {column} IS NOT NULL"
                    " ORDER BY mcps_distance({how}, {column}, {p1}) LIMIT 10",
                    sqlite,
                    1,
                ),
                Statement(
                    "SELECT {key} FROM {table} WHERE {column} IS NOT NULL"
                    " ORDER BY {column} {operator} {p1}::{type} LIMIT 10",
                    postgres,
                    1,
                ),
                tuple(((text,), (text,)) for text in wanted),
                {"kind": "vector", "table": table.name, "rows": table.rows},
            )
            return


def _operator(operator: str, of_type: str) -> str:
    """The operator of the schema that the type is in."""
    schema, dot, _ = of_type.partition(".")
    return f"OPERATOR({schema}.{operator})" if dot else operator


# Writes


def _write_plan(tables: Sequence[TableFacts], sampler: Sampler) -> Optional[WritePlan]:
    """Rows for a table like the largest one that new rows can be made up for."""
    for table in tables:
        plan = _rows_for(table, sampler)
        if plan is not None:
            return plan
    return None


def _rows_for(table: TableFacts, sampler: Sampler) -> Optional[WritePlan]:
    given = {column.source for column in table.map.columns}
    columns = tuple(
        column.name
        for column in table.map.source.columns
        if not column.generated and not (table.numbered and column.name == table.key)
        if column.name in given
    )
    pairs = tuple(sampler.pairs(table, columns)) if table.numbered else ()
    if not pairs:
        return None
    targets = tuple(table.target_of(column) for column in columns)
    wanted = _new_places(table, columns)
    if wanted is None:
        return None
    sqlite, postgres = [], []
    for place in wanted:
        forms = _forms(table.type_of(columns[place]), [pair[0][place] for pair in pairs])
        if forms is None:
            return None
        sqlite.append((place, forms[0]))
        postgres.append((place, forms[1]))
    return WritePlan(table, columns, targets, pairs, (tuple(sqlite), tuple(postgres)), _updated(table, columns))


def _new_places(table: TableFacts, columns: Sequence[str]) -> Optional[List[int]]:
    """A place in every unique index where a new value can stand; None where an index has none."""
    places: List[int] = []
    unique = [tuple(columns) for columns in table.source_unique]
    for index in table.indexes:
        names = [table.map.source_of(name) if name else None for name in index.columns]
        if index.unique and index.columns != table.map.target.primary_key:
            if None in names:
                return None
            unique.append(tuple(name or "" for name in names))
    for index_columns in unique:
        if index_columns == (table.key,):
            continue
        choices = [columns.index(name) for name in index_columns if name in columns]
        choices = [place for place in choices if _forms(table.type_of(columns[place]), []) is not None]
        if not choices:
            return None
        if not set(choices) & set(places):
            places.append(choices[0])
    return places


def _forms(of_type: str, samples: Sequence[Any]) -> Optional[Tuple[str, str]]:
    """How a new value of this type is made for SQLite and for PostgreSQL, None where it cannot be."""
    base, _, modifier = of_type.partition("(")
    if base == "uuid":
        dashed = any(isinstance(sample, str) and "-" in sample for sample in samples)
        return ("uuid" if dashed else "hex:32"), "uuid"
    if base in ("text", "character varying"):
        length = int(modifier.rstrip(")") or 64) if modifier else 64
        form = f"hex:{min(length, 64)}"
        return (form, form) if length >= 8 else None
    return ("int", "int") if base in ("integer", "bigint") else None


def _updated(table: TableFacts, columns: Sequence[str]) -> Optional[int]:
    """The place of the column that an update changes: a number or a text that no index holds."""
    indexed = {name for names in table.source_indexes for name in names}
    indexed |= {name for index in table.indexes for name in index.columns}
    for kinds in (WHOLE_NUMBERS, ("real", "double precision"), ("text", "character varying")):
        for place, column in enumerate(columns):
            is_free = column not in indexed and table.target_of(column) not in indexed
            if is_free and table.type_of(column).split("(")[0] in kinds:
                return place
    return None
