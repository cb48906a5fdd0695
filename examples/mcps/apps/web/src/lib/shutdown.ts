// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// How long the site takes to stop. Next finishes the requests that run and then waits for every connection to be closed,
// also for those that a browser has opened and not used yet: up to a minute.
import { count, type Environment } from "./settings";

const EXITS = { SIGTERM: 143, SIGINT: 130 } as const;

/** After SIGTERM or SIGINT the process ends within WEB_SHUTDOWN_SECONDS (10). */
export function limitShutdown(environment: Environment): void {
  const seconds = count(environment, "WEB_SHUTDOWN_SECONDS", 10);
  for (const [signal, status] of Object.entries(EXITS)) {
    process.once(signal, () => setTimeout(() => process.exit(status), seconds * 1_000).unref());
  }
}
