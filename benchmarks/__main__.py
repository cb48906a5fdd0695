# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .application import ROOT
from .bench import Bench, Rounds, Sizes
from .contenders.task import ContenderError
from .figures import Point
from .lineup import Contender, chosen, everything
from .machine import describe
from .results import Results, document
from .targets import SETTINGS, SecretsGuard, running_server


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(f"{one.group}: {one.name}" for one in everything()))
        return 0
    try:
        if options.docs:
            document(options.results, ROOT / "docs" / "benchmarks.md")
        else:
            contenders = chosen(everything(), options.only)
            results = run(options, contenders)
            results.write(options.results)
            print("\n" + results.text())
            if results.broken_off:
                print("benchmarks: interrupted, only what was measured before is written", file=sys.stderr)
                return 130
    except (ContenderError, OSError, RuntimeError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted, nothing is written", file=sys.stderr)
        return 130
    return 0


def run(options: argparse.Namespace, contenders: Sequence[Contender]) -> Results:
    """Everything that was asked for, on a server that is there for this only; what there is of it when it is interrupted."""
    begun = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    cache: Path = options.cache
    cache.mkdir(parents=True, exist_ok=True)
    repeat = Rounds(options.repeat, min(options.repeat, options.slow_repeat or options.repeat))
    sizes = Sizes(options.servers, options.embeddings * 384, options.timeout)
    with running_server(SecretsGuard(), SETTINGS) as server, tempfile.TemporaryDirectory(dir=cache) as work:
        ((version,),) = server.admin.query("SHOW server_version")
        machine = describe(server.folder, version, SETTINGS)
        bench = Bench(server, cache, Path(work), lambda text: print(text, flush=True))
        lines = {one: one.line() for one in contenders}
        points: list[Point] = []
        broken_off = False
        try:
            bench.rounds(lines, sizes, repeat, options.values)
            if options.scaling:
                points = bench.by_size(contenders, options.scaling, options.slow_servers, sizes)
        except KeyboardInterrupt:
            broken_off = True
    names = ("servers", "repeat", "slow_repeat", "embeddings", "only", "scaling", "slow_servers", "values")
    conditions = {**{name: getattr(options, name) for name in names}, "begun": begun}
    return Results(list(lines.values()), points, machine, conditions, _command(options), broken_off)


def _command(options: argparse.Namespace) -> str:
    """How to repeat it."""
    words = [f"BENCH_SERVERS={options.servers}", f"BENCH_REPEAT={options.repeat}"]
    words += [f"BENCH_SLOW_REPEAT={options.slow_repeat}"] if options.slow_repeat else []
    words.append(f"BENCH_EMBEDDINGS={options.embeddings}")
    words += [f'BENCH_ONLY="{",".join(options.only)}"'] if options.only else []
    words += [f"BENCH_SCALING={','.join(map(str, options.scaling))}"] if options.scaling else []
    words += [f"BENCH_SLOW_SERVERS={options.slow_servers}"] if options.scaling else []
    words += [] if options.values else ["BENCH_VALUES=no"]
    return " ".join(["make bench", *words])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--servers", type=_positive, default=20_000, help="size of the application; 21 rows per server")
    parser.add_argument(
        "--embeddings", type=_positive, default=200_000, help="vectors of 384 numbers per table, a quarter of 1,536"
    )
    parser.add_argument("--repeat", type=_positive, default=3, help="rounds")
    parser.add_argument(
        "--slow-repeat", type=int, default=0, help="rounds that slow contenders take part in (0: as all others)"
    )
    parser.add_argument("--only", type=_words, default=[], help="words: contenders with one of them in group or name")
    parser.add_argument("--scaling", type=_numbers, default=[], help="numbers of servers to run everything once with")
    parser.add_argument("--slow-servers", type=_positive, default=20_000, help="up to which slow contenders do so")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds that one run may take")
    parser.add_argument(
        "--values", action=argparse.BooleanOptionalAction, default=True, help="compare every value once (not timed)"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "benchmarks", help="folder of the sources")
    parser.add_argument("--list", action="store_true", help="only name the contenders")
    parser.add_argument("--docs", action="store_true", help="only put the last results into docs/benchmarks.md")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    return [_positive(word) for word in _words(text)]


if __name__ == "__main__":
    raise SystemExit(main())
