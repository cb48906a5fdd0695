# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every failure says what it is about and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcps.postgres.plugins.module_utils._alembic import _failure

REVISION = {"revision": "0003", "down_revision": ["0002"], "message": "Drops.", "path": "/p/0003.py"}
BLANK = {"type": "X", "message": "it broke", "statement": "", "sqlstate": "", "revision": None, "file": "", "line": 0}


def explained(**failure: Any) -> Any:
    return _failure.explained({**BLANK, **failure}, "printed", "/app/python", "/app")


@pytest.mark.parametrize(
    ("failure", "words", "advice"),
    [
        (
            {
                "kind": "revision",
                "revision": REVISION,
                "file": "/p/0003.py",
                "line": 7,
                "statement": "DROP\n TABLE a",
                "sqlstate": "2BP01",
            },
            "Revision 0003 (Drops.) failed in /p/0003.py, line 7: it broke Statement: DROP TABLE a.",
            "children first",
        ),
        ({"kind": "revision", "revision": REVISION, "sqlstate": "XX000"}, "Revision 0003", "Correct the revision"),
        ({"kind": "revision", "revision": REVISION, "sqlstate": "42P07"}, "Revision 0003", "stamp"),
        ({"kind": "revision", "revision": REVISION, "sqlstate": "42710"}, "Revision 0003", "DROP TYPE"),
        ({"kind": "commit", "sqlstate": "23503"}, "refused to keep them", "Mend the rows"),
        ({"kind": "script", "message": "Multiple head revisions are present"}, "Alembic refused", "'heads'"),
        ({"kind": "script", "message": "Can't locate revision identified by 'x'"}, "'x'", "bring it to the version"),
        ({"kind": "connect", "sqlstate": "28P01"}, "cannot connect", "login_password"),
        ({"kind": "connect", "sqlstate": "42501"}, "cannot connect", "grant"),
        ({"kind": "connect", "message": "SSL error: certificate verify failed"}, "cannot connect", "ca_cert"),
        ({"kind": "connect", "message": "Connection refused"}, "cannot connect", "login_port"),
        ({"kind": "no_alembic"}, "/app/python has no Alembic", "virtual environment"),
        ({"kind": "wrong_database"}, "before anything was run", "url_variable"),
        ({"kind": "env", "missing": "app"}, "env.py failed: X: it broke", "'app'"),
        ({"kind": "env", "type": "MissingGreenlet"}, "env.py failed", "asyncpg"),
        ({"kind": "env"}, "env.py failed", "environment"),
        ({"kind": "config"}, "configuration", "config_file"),
        ({"kind": "exit", "message": "4"}, "exit status 4", "printed"),
        ({"kind": "env_idle"}, "it broke", "run_migrations"),
    ],
)
def test_text_and_advice(failure: dict[str, Any], words: str, advice: str) -> None:
    error = explained(**failure)
    assert words in error.message and advice in error.advice
    assert error.message.endswith(".")
    assert (error.details["kind"], error.details["output"]) == (failure["kind"], "printed")


@pytest.mark.parametrize(
    ("current", "words"),
    [(("a", "b"), "is at a, b now"), ((), "at no revision now"), (None, "cannot be found out")],
)
def test_where_the_database_is_now(current: Any, words: str) -> None:
    error = _failure.with_position(explained(kind="env"), current)
    assert words in error.message and error.details["file"] == ""
    assert error.details["current"] == (None if current is None else list(current))


def test_a_process_without_an_answer() -> None:
    assert "signal 9" in _failure.no_answer(-9, "", "/p").message
    assert "exit status 3 before Alembic had finished: oh no." in _failure.no_answer(3, "oh\nno", "/p").message


def test_revisions_that_are_not_kept() -> None:
    answer = {"before": [], "after": ["0003"], "revisions": [REVISION]}
    error = _failure.not_kept(answer, ())
    assert "0003" in error.message and "did not commit" in error.message and "begin_transaction" in error.advice


def test_long_texts_are_cut() -> None:
    assert _failure.one_line("a\n" * 2000, 10) == "a a a a a ..."
