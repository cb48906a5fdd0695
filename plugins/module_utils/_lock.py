# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may run a migration now. A pure decision over the lock row in the target and the run that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ._errors import LockedError

#: What makes out one run: ansible-playbook's process on a controller, working on one host of the inventory.
IDENTITY = ("controller", "machine", "boot", "namespace", "pid", "started", "inventory_host")
FACTS = IDENTITY + ("user",)


@dataclass(frozen=True)
class Verdict:
    """V(take) a free lock, V(keep) one's own, V(take_over) one that nobody holds any more, and why."""

    action: str
    reason: str = ""


def decide(
    holder: Optional[Mapping[str, Any]],
    run: Mapping[str, Any],
    *,
    seconds_left: float,
    dead: str = "",
    break_lock: bool = False,
    where: str = "the target",
) -> Verdict:
    """What I(run) may do about the lock that I(holder) has (None: nobody).

    I(seconds_left) is what remains of the holder's lease; I(dead) the token of a holder whose process the
    controller knows to be gone, which counts only while the row still carries that token.
    LockedError, which names the holder, where the lock is not to be had.
    """
    if holder is None:
        return Verdict("take")
    if same_run(holder, run):
        return Verdict("keep")
    if dead and holder["token"] == dead:
        return Verdict("take_over", f"{described(holder)} is dead")
    if break_lock:
        return Verdict("take_over", f"break_lock was set although {described(holder)} holds it")
    if seconds_left <= 0 and not same_controller(holder, run):
        return Verdict("take_over", f"the lease of {described(holder)} ran out {-seconds_left:.0f} s ago")
    raise LockedError(
        f"A migration into {where} is already running: {described(holder)}.",
        advice="Wait for it, or end it. "
        + (
            "The process lives on this controller."
            if same_controller(holder, run)
            else f"Its lease ends in {seconds_left:.0f} s unless it is renewed; if that run is certainly dead, set "
            "break_lock: true (role variable migration_break_lock)."
        ),
        details={"holder": dict(holder), "seconds_left": seconds_left},
    )


def same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(str(one.get(key) or "") == str(other.get(key) or "") for key in IDENTITY)


def same_controller(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a process of I(one) could be seen by I(other): one machine, one boot, one table of processes."""
    return all(str(one.get(key) or "") == str(other.get(key) or "") for key in ("controller", "boot", "namespace"))


def rebooted(holder: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether the holder ran on this machine before it was last started, so that it cannot live any more."""
    return bool(
        run.get("machine")
        and holder.get("machine") == run.get("machine")
        and holder.get("controller") == run.get("controller")
        and holder.get("boot")
        and run.get("boot")
        and holder["boot"] != run["boot"]
    )


def described(holder: Mapping[str, Any]) -> str:
    """One line: who, where, since when, at what."""
    text = (
        f"ansible-playbook process {holder.get('pid')} of {holder.get('user')} on {holder.get('controller')}"
        f" for host {holder.get('inventory_host')}, since {holder.get('since')}"
    )
    return text + (f", in phase {holder['phase']}" if holder.get("phase") else "")


def row_of(run: Mapping[str, Any], token: str) -> Dict[str, Any]:
    """The part of the lock row that tells who holds it."""
    return {**{key: str(run.get(key) or "") for key in FACTS}, "token": token}
