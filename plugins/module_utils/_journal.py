# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a migration: which phases are done, of which source, into which target. No input, no output.

A document (see M(begun)) is kept in the state directory and, the same, in the target; M(agreed) holds them together.
Documents are never changed in place: every step returns a new one.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from ._errors import JournalError

FORMAT = "mcps.postgres/journal/1"

#: The phases of a migration in the order in which they have to be done.
PHASES = ("preflight", "schema", "snapshot", "load", "verify", "fence", "switch")
#: Beside the way: recorded, but nothing waits for it.
ROLLBACK = "rollback"

STATES = ("started", "done", "failed", "undone")
RUNNING, FINISHED, ROLLED_BACK = "running", "finished", "rolled_back"

Document = Dict[str, Any]


@dataclass(frozen=True)
class Agreement:
    """What the two copies of the journal say together: the document to go on with, or why there is none."""

    document: Optional[Document]
    #: V(none) no migration yet, V(same) or V(local) fine, V(behind) mirror has to be written again,
    #: V(target_unknown) the target has no such migration, V(state_lost) only the target knows it, V(different).
    verdict: str
    problem: str = ""
    advice: str = ""

    def required(self) -> Optional[Document]:
        """The document; JournalError where the copies contradict each other."""
        if self.problem:
            raise JournalError(self.problem, advice=self.advice, details={"verdict": self.verdict})
        return self.document


def agreed(
    local: Optional[Document], mirror: Optional[Document], *, mirrored: bool, state_dir: str, where: str
) -> Agreement:
    """Hold the state directory's document against the newest one in the target.

    I(mirrored) is false where no target was asked, which leaves nothing to compare. A migration that was rolled
    back binds nobody: whatever the target says about it is history.
    """
    if not mirrored:
        return Agreement(local, "local" if local else "none")
    # A run that was killed while it began has a journal here in which nothing has happened yet.
    open_local = local is not None and local["outcome"] != ROLLED_BACK and bool(local["phases"])
    open_mirror = mirror is not None and mirror["outcome"] != ROLLED_BACK
    same = local is not None and mirror is not None and local["id"] == mirror["id"]
    if same:
        behind = local is not None and mirror is not None and local["sequence"] != mirror["sequence"]
        return Agreement(local, "behind" if behind else "same")
    if open_local and local is not None and mirror is not None and open_mirror:
        return Agreement(
            local,
            "different",
            f"{state_dir} holds migration {local['id']}, but {where} belongs to migration {mirror['id']} "
            f"of {mirror['source']['path']}, begun {mirror['created']}.",
            "Connect to the database that this migration began with, or name the state directory of the other one.",
        )
    if open_local and local is not None:
        return Agreement(
            local,
            "target_unknown",
            f"{state_dir} holds migration {local['id']}, begun {local['created']} into {target_text(local)}, "
            f"but {where} knows nothing of it.",
            "Connect to the database that the migration began with. If that one was dropped or created anew, run the "
            "rollback (it puts the application back on SQLite) and migrate again.",
        )
    if open_mirror and mirror is not None:
        return Agreement(
            None,
            "state_lost",
            f"{where} belongs to migration {mirror['id']} of {mirror['source']['path']}, begun {mirror['created']}, "
            f"but {state_dir} has no journal of it.",
            "Name the state directory in which that migration was begun. If it is lost, set adopt: true once "
            "(role variable migration_adopt_journal) to go on with the target's copy of the journal; if the database is meant "
            "for another migration, use another database.",
        )
    return Agreement(local, "behind" if local else "none")


def begun(
    previous: Optional[Document], *, identifier: str, now: str, source: Mapping[str, Any], target: Mapping[str, Any]
) -> Document:
    """The document to work with: I(previous) where it still runs or is finished, else a new one.

    JournalError where I(previous) is of another source or target than the one at hand.
    """
    if previous is not None and previous["outcome"] != ROLLED_BACK:
        _same_source(previous, source)
        _same_target(previous, target)
        return previous
    history = [] if previous is None else [*previous["history"], _summary(previous)]
    return {
        "format": FORMAT,
        "id": identifier,
        "sequence": 1,
        "created": now,
        "updated": now,
        "closed": None,
        "source": dict(source),
        "target": dict(target),
        "outcome": RUNNING,
        "phases": {},
        "history": history,
    }


def stepped(
    document: Optional[Document],
    phase: str,
    state: str,
    *,
    now: str,
    facts: Mapping[str, Any],
    state_dir: str,
    ordered: bool = True,
) -> Document:
    """The document with I(phase) in I(state), and I(facts) merged into those that the phase has.

    A phase starts only when those before it are done (I(ordered) false: a plan in which they would have been).
    Starting a phase again begins it anew. A phase that is taken back (V(undone)) takes back those that were built on
    it, whose facts stay.
    """
    if document is None:
        raise JournalError(
            f"{state_dir} holds no migration whose phase {phase} could be {state}.",
            advice="Begin one first, with state: begun.",
        )
    if document["outcome"] == ROLLED_BACK or (
        document["outcome"] == FINISHED and phase != ROLLBACK and state != "undone"
    ):
        raise JournalError(
            f"Migration {document['id']} is {document['outcome']}: its phase {phase} cannot be {state} any more.",
            advice="Begin a new migration after a rollback; a finished one has nothing left to do.",
        )
    waiting = [name for name in preceding(phase) if phase_state(document, name) != "done"]
    if state == "started" and ordered and waiting:
        raise JournalError(
            f"Phase {phase} cannot start: {', '.join(waiting)} {'is' if len(waiting) == 1 else 'are'} not done.",
            advice="Run the playbook without --tags (or with the tags of the missing phases as well).",
            details={"phase": phase, "missing": waiting},
        )
    known = document["phases"].get(phase, {})
    entry: Dict[str, Any] = {
        "state": state,
        "started": now if state == "started" else known.get("started", now),
        "finished": None if state == "started" else now,
        "facts": {**({} if state == "started" else known.get("facts", {})), **facts},
    }
    if known.get("state") == state and known.get("facts") == entry["facts"]:
        return document
    changed = copy.deepcopy(document)
    changed["phases"][phase] = entry
    for name in following(phase) if state == "undone" else ():
        if name in changed["phases"]:
            changed["phases"][name].update(state="undone", finished=now)
    return _touched(changed, now)


def closed(document: Optional[Document], outcome: str, *, now: str, state_dir: str, ordered: bool = True) -> Document:
    """The document with its outcome V(finished), which all phases have to be done for, or V(rolled_back)."""
    if document is None:
        raise JournalError(
            f"{state_dir} holds no migration that could be {outcome}.", advice="Begin one first, with state: begun."
        )
    if document["outcome"] == outcome:
        return document
    waiting = [name for name in PHASES if phase_state(document, name) != "done"]
    if outcome == FINISHED and ordered and (waiting or document["outcome"] != RUNNING):
        raise JournalError(
            f"Migration {document['id']} cannot be finished: "
            + (f"{', '.join(waiting)} not done." if waiting else f"it is {document['outcome']}."),
            advice="Run the playbook again: it goes on where it stands.",
        )
    changed = copy.deepcopy(document)
    changed["outcome"] = outcome
    changed["closed"] = now
    return _touched(changed, now)


def phase_state(document: Optional[Document], phase: str) -> str:
    """V(started), V(done), V(failed), V(undone), or an empty text for a phase that was never begun."""
    return "" if document is None else str(document["phases"].get(phase, {}).get("state", ""))


def preceding(phase: str) -> List[str]:
    """The phases that have to be done before I(phase)."""
    return list(PHASES[: PHASES.index(phase)]) if phase in PHASES else []


def following(phase: str) -> List[str]:
    """The phases that are built on I(phase)."""
    return list(PHASES[PHASES.index(phase) + 1 :]) if phase in PHASES else []


def loaded_before(document: Optional[Document]) -> bool:
    """Whether an earlier, rolled back migration from the same source has loaded rows that may be replaced."""
    return document is not None and any(
        entry["loaded"] and entry["source"] == document["source"]["path"] for entry in document["history"]
    )


def target_text(document: Document) -> str:
    target = document["target"]
    return f"database '{target.get('database')}' on {target.get('host') or 'the local socket'}:{target.get('port')}"


def encoded(document: Document) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def decoded(text: str, where: str) -> Document:
    """The document in I(text); JournalError where it is none, or one that this version cannot read."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise JournalError(
            f"{where} is damaged: {error}.",
            advice="Restore it from a backup, or move it away and set adopt: true to take the target's copy.",
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise JournalError(
            f"{where} is not a journal of the format {FORMAT}.",
            advice="Use the version of mcps.postgres that wrote it, or another state directory.",
        )
    return document


def _touched(document: Document, now: str) -> Document:
    document["sequence"] += 1
    document["updated"] = now
    return document


def _summary(document: Document) -> Dict[str, Any]:
    """What later migrations need to know of one that was rolled back."""
    return {
        "id": document["id"],
        "created": document["created"],
        "closed": document["closed"],
        "outcome": document["outcome"],
        "source": document["source"]["path"],
        "loaded": phase_state(document, "load") != "",
        "discarded": bool(document["phases"].get(ROLLBACK, {}).get("facts", {}).get("discard_writes")),
    }


def _same_source(document: Document, source: Mapping[str, Any]) -> None:
    known = document["source"]
    if known.get("path") != source.get("path"):
        raise JournalError(
            f"The journal is of a migration of {known.get('path')}, not of {source.get('path')}.",
            advice="Give every source a state directory of its own, or roll that migration back first.",
        )
    if None not in (known.get("inode"), source.get("inode")) and known["inode"] != source["inode"]:
        raise JournalError(
            f"{known['path']} is another file than the one that migration {document['id']} began with "
            f"(inode {known['inode']} then, {source['inode']} now).",
            advice="Put the file back, or run the rollback and then migrate the new file from the start.",
        )


def _same_target(document: Document, target: Mapping[str, Any]) -> None:
    """Names may change (a proxy, a socket instead of an address); cluster, database and schema may not."""
    known = document["target"]
    for key, what in (("system", "cluster"), ("database_oid", "database"), ("schema", "schema")):
        if None not in (known.get(key), target.get(key)) and known[key] != target[key]:
            raise JournalError(
                f"Migration {document['id']} began with another {what} ({what} {known[key]} then, {target[key]} now).",
                advice=f"Connect to {target_text(document)}, or run the rollback and migrate again.",
            )
