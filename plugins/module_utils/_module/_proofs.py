# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file in which a verification keeps what it has found equal, from which a later one goes on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from typing import Dict, Iterator, List, Optional, TextIO, Tuple

from .._errors import MigrationError
from .._transfer._fast import Span
from .._transfer._proofs import Proof, head, read_proofs


class ProofFile:
    """JSON lines, mode 0600, each written as soon as it is known. One verification at a time has it."""

    def __init__(self, file: TextIO, path: str, known: List[Proof]) -> None:
        self._file = file
        self._path = path
        self._known: Dict[Tuple[str, int, int], Proof] = {
            (proof.table, proof.first, proof.last): proof for proof in known
        }
        self._lock = threading.Lock()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: str, identity: str) -> Iterator[ProofFile]:
        """The proofs in I(path), if they hold for I(identity), and none otherwise.

        Raises MigrationError where it cannot be used.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MigrationError(
                f"The file {path}, in which a verification keeps how far it is, cannot be opened: {error.strerror}.",
                advice="Give resume_file a path in an existing folder which the module's user may write.",
            ) from error
        with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace", newline="\n") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise MigrationError(
                    f"Another verification is writing to {path}.",
                    advice="Wait for it, or give this one a resume_file of its own.",
                ) from error
            known = read_proofs(file, identity)
            if known is None:
                file.seek(0)
                file.truncate()
                file.write(head(identity) + "\n")
                known = []
            else:
                # What comes after an unfinished line must not become a part of it.
                file.seek(0, os.SEEK_END)
                file.write("\n")
            file.flush()
            yield cls(file, path, known)

    def find(self, table: str, span: Span) -> Optional[Proof]:
        """What an earlier verification has found in just these rows."""
        return self._known.get((table, span.first, span.last))

    def add(self, proof: Proof) -> None:
        """Written at once, for the case that this process is killed."""
        with self._lock:
            self._file.write(proof.line() + "\n")
            self._file.flush()

    def remove(self) -> None:
        """Once everything is equal, the next verification has to look at everything again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
