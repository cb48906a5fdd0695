// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// One pool for the process, and how the pages read with it.
import { Pool, types, type PoolClient } from "pg";
import { poolConfig } from "./settings";

// A timestamp without time zone is UTC here; a Date would take it for the local time of this machine.
const TIMESTAMP = 1114;
types.setTypeParser(TIMESTAMP, (text) => text);

// Next may load this module more than once in a process.
const kept = globalThis as { mcpsPool?: Pool };

function pool(): Pool {
  if (!kept.mcpsPool) {
    kept.mcpsPool = new Pool(poolConfig(process.env));
    // A connection that is lost while nobody uses it; without a listener it would end the process.
    kept.mcpsPool.on("error", (error) => console.error("a connection was lost:", error.message));
  }
  return kept.mcpsPool;
}

/** Do work that only reads, in one transaction: all that a page shows is of the same moment. */
export async function reading<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool().connect();
  let failure: Error | undefined;
  try {
    await client.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // What failed may be in any state: the pool closes it.
    client.release(failure);
  }
}

/** Milliseconds of one round trip. */
export async function latency(): Promise<number> {
  const begun = performance.now();
  await pool().query("SELECT 1");
  return Math.round((performance.now() - begun) * 10) / 10;
}
