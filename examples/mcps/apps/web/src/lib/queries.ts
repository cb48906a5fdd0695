// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// What the pages ask. Every value that came from a visitor is a parameter.
import type { PoolClient } from "pg";
import { PAGE_SIZE } from "./parameters";

// The database holds the names of the members.
export const HOST_TYPES = ["GITHUB", "GITLAB", "NPM", "PYPI", "DOCKER", "HTTP"] as const;
export const RISK_LEVELS = ["SAFE", "MODERATE", "HIGH", "CRITICAL", "UNKNOWN"] as const;
export const PLATFORMS = ["REDDIT", "TWITTER", "DISCORD", "MASTODON", "HACKER_NEWS"] as const;

export type Found<Row> = { rows: Row[]; total: number };

export type ServerLine = {
  uuid: string;
  name: string;
  description: string | null;
  host_type: string;
  risk_level: string | null;
  verified_source: boolean;
  stars: number;
};

export type Post = {
  uuid: string;
  platform: string;
  title: string | null;
  content: string;
  author: string | null;
  url: string;
  score: number;
  published_at: string;
};

export type Counts = Record<"servers" | "tools" | "prompts" | "posts" | "articles" | "videos", number>;

export async function counts(client: PoolClient): Promise<Counts> {
  const tables = { servers: "server", tools: "tool", prompts: "prompt", posts: "social_posts", articles: "articles", videos: "videos" };
  const columns = Object.entries(tables).map(([name, table]) => `(SELECT count(*) FROM ${table})::float8 AS ${name}`);
  const found = await client.query<Counts>(`SELECT ${columns.join(", ")}`);
  return found.rows[0]!;
}

const SERVER_COLUMNS = "uuid, name, description, host_type, risk_level, verified_source, stars";
const POST_COLUMNS = "uuid, platform, title, content, author, url, score, published_at";

/** Conditions with their parameters; the place of each is where it was added. */
class Conditions {
  readonly values: unknown[] = [];
  private readonly parts: string[] = [];

  add(value: unknown, condition: (place: string) => string): void {
    if (value === undefined || value === "") return;
    this.values.push(value);
    this.parts.push(condition(`$${this.values.length}`));
  }

  get where(): string {
    return this.parts.length > 0 ? `WHERE ${this.parts.join(" AND ")}` : "";
  }
}

async function pageOf<Row extends object>(
  client: PoolClient, table: string, columns: string, conditions: Conditions, order: string, page: number,
): Promise<Found<Row>> {
  const { where, values } = conditions;
  const total = await client.query<{ total: number }>(`SELECT count(*)::float8 AS total FROM ${table} ${where}`, values);
  const rows = await client.query<Row>(
    `SELECT ${columns} FROM ${table} ${where} ORDER BY ${order} LIMIT ${PAGE_SIZE} OFFSET ${(page - 1) * PAGE_SIZE}`,
    values,
  );
  return { rows: rows.rows, total: total.rows[0]!.total };
}

export type ServerFilter = { words: string; host: string | undefined; risk: string | undefined; verified: boolean };

/** Servers that fit: the best first where words are looked for, otherwise by stars. */
export function servers(client: PoolClient, filter: ServerFilter, page: number): Promise<Found<ServerLine>> {
  const conditions = new Conditions();
  let order = "stars DESC, id";
  conditions.add(filter.words, (place) => {
    order = `ts_rank(search_vector, websearch_to_tsquery('english', ${place})) DESC, id`;
    return `search_vector @@ websearch_to_tsquery('english', ${place})`;
  });
  conditions.add(filter.host, (place) => `host_type = ${place}`);
  conditions.add(filter.risk, (place) => `risk_level = ${place}`);
  conditions.add(filter.verified ? true : undefined, (place) => `verified_source = ${place}`);
  return pageOf<ServerLine>(client, "server", SERVER_COLUMNS, conditions, order, page);
}

export type PostFilter = { words: string; platform: string | undefined };

/** Posts that fit, the latest first. */
export function posts(client: PoolClient, filter: PostFilter, page: number): Promise<Found<Post>> {
  const conditions = new Conditions();
  conditions.add(filter.words, (place) => `search_vector @@ websearch_to_tsquery('english', ${place})`);
  conditions.add(filter.platform, (place) => `platform = ${place}`);
  return pageOf<Post>(client, "social_posts", POST_COLUMNS, conditions, "published_at DESC, id DESC", page);
}

export type Server = ServerLine & {
  primary_url: string;
  author_name: string | null;
  license: string | null;
  keywords: unknown;
  topics: (string | null)[] | null;
  updated_at: string;
};
export type Part = { name: string; note: string | null };
export type Detail = { server: Server; parts: Record<string, Part[]> };

// What belongs to a server, each as a name and a note; the longest lists are cut.
const PARTS = {
  Tools: "SELECT name, description AS note FROM tool WHERE server_id = $1 ORDER BY name, id LIMIT 200",
  Prompts: "SELECT name, description AS note FROM prompt WHERE server_id = $1 ORDER BY name, id LIMIT 200",
  Resources:
    "SELECT coalesce(name, uri_template) AS name, description AS note FROM resourcetemplate WHERE server_id = $1 ORDER BY 1, id LIMIT 200",
  Dependencies:
    "SELECT library_name AS name, concat_ws(' ', ecosystem, version_constraint) AS note FROM dependency WHERE server_id = $1 ORDER BY 1, id LIMIT 200",
  Releases:
    "SELECT version AS name, published_at::date::text AS note FROM release WHERE server_id = $1 ORDER BY published_at DESC, id LIMIT 20",
  Contributors:
    "SELECT username AS name, commits || ' commits' AS note FROM contributor WHERE server_id = $1 ORDER BY commits DESC, id LIMIT 20",
};

/** One server with what belongs to it; nothing where there is none. */
export async function server(client: PoolClient, uuid: string): Promise<Detail | undefined> {
  const found = await client.query<Server & { id: number }>(
    `SELECT id, ${SERVER_COLUMNS}, primary_url, author_name, license, keywords, topics, updated_at FROM server WHERE uuid = $1`,
    [uuid],
  );
  const first = found.rows[0];
  if (!first) return undefined;
  const parts: Record<string, Part[]> = {};
  for (const [title, query] of Object.entries(PARTS)) {
    parts[title] = (await client.query<Part>(query, [first.id])).rows;
  }
  return { server: first, parts };
}
