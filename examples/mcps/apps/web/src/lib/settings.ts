// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// What the process environment says of the database, by the names that examples/mcps/.env.example has.
import { readFileSync } from "node:fs";
import type { PoolConfig } from "pg";

export type Environment = Readonly<Record<string, string | undefined>>;

export class SettingsError extends Error {}

const LOOPBACK = /^(localhost|127\.|::1$|\[::1\]$|\/)/;

/** Settings of the pool. DATABASE_URL wins over POSTGRES_*; what it says of TLS (sslmode) wins over PGSSLMODE. */
export function poolConfig(environment: Environment): PoolConfig {
  return {
    ...(environment.DATABASE_URL ? fromUrl(environment.DATABASE_URL, environment) : fromParts(environment)),
    max: count(environment, "DB_POOL_SIZE", 10),
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    // The client's own, because a pooler that lends connections by transaction takes no settings of a session.
    query_timeout: 15_000,
  };
}

function fromUrl(text: string, environment: Environment): PoolConfig {
  // A driver in it (postgresql+asyncpg) is for other clients.
  const connectionString = text.replace(/^(postgres(?:ql)?)\+\w+:/, "$1:");
  if (!/^postgres(ql)?:/.test(connectionString)) {
    throw new SettingsError("DATABASE_URL does not begin with postgresql://: the site reads PostgreSQL only");
  }
  let url: URL;
  try {
    url = new URL(connectionString);
  } catch {
    throw new SettingsError("DATABASE_URL is not a URL: percent-encode special characters of user and password");
  }
  if (url.searchParams.has("sslmode")) return { connectionString };
  return { connectionString, ssl: tls(environment, url.searchParams.get("host") ?? url.hostname) };
}

function fromParts(environment: Environment): PoolConfig {
  if (environment.USE_SQLITE === "true") {
    throw new SettingsError("USE_SQLITE is true: the site reads PostgreSQL only");
  }
  const host = environment.POSTGRES_HOST || "localhost";
  return {
    host,
    port: count(environment, "POSTGRES_PORT", 5432),
    user: environment.POSTGRES_USER || "mcps",
    password: environment.POSTGRES_PASSWORD,
    database: environment.POSTGRES_DB || "mcps",
    ssl: tls(environment, host),
  };
}

/** No TLS, or one that knows who answers. Across a network nothing less is taken. */
function tls(environment: Environment, host: string): PoolConfig["ssl"] {
  const mode = environment.PGSSLMODE ?? "";
  if (mode === "verify-full") {
    const file = environment.PGSSLROOTCERT;
    // Node checks the name as well, unless it is told not to.
    return { rejectUnauthorized: true, ...(file ? { ca: readFileSync(file, "utf8") } : {}) };
  }
  if (!["", "disable"].includes(mode)) {
    throw new SettingsError(`PGSSLMODE is ${mode}: the site knows verify-full and disable`);
  }
  if (mode === "" && !LOOPBACK.test(host)) {
    // Not named: of a URL that is not quoted well, it may be a part of the password.
    throw new SettingsError("the database is on another host, and PGSSLMODE is not set: set it to verify-full");
  }
  return false;
}

/** A whole number from 1 to 65535 of the environment. */
export function count(environment: Environment, name: string, otherwise: number): number {
  const text = environment[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) {
    throw new SettingsError(`${name} is ${text}: it has to be a whole number from 1 to 65535`);
  }
  return value;
}
