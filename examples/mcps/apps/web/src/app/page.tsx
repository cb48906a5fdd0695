// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import Link from "next/link";
import { connection } from "next/server";
import { reading } from "@/lib/database";
import { counts, posts, servers } from "@/lib/queries";
import { member, number, PostCard, ServerCard } from "@/lib/show";

const FEW = 5;

export default async function Home() {
  await connection();
  const found = await reading(async (client) => ({
    counts: await counts(client),
    servers: await servers(client, { words: "", host: undefined, risk: undefined, verified: false }, 1),
    posts: await posts(client, { words: "", platform: undefined }, 1),
  }));
  return (
    <>
      <h1>A hub for MCP servers</h1>
      <dl className="counts">
        {Object.entries(found.counts).map(([name, count]) => (
          <div key={name} data-count={name}><dt>{member(name)}</dt><dd>{number(count)}</dd></div>
        ))}
      </dl>
      <h2>Most starred</h2>
      <ul className="cards">{found.servers.rows.slice(0, FEW).map((each) => <ServerCard key={each.uuid} server={each} />)}</ul>
      <p><Link prefetch={false} href="/servers">All servers</Link></p>
      <h2>What people say</h2>
      <ul className="cards">{found.posts.rows.slice(0, FEW).map((each) => <PostCard key={each.uuid} post={each} />)}</ul>
      <p><Link prefetch={false} href="/social">All posts</Link></p>
    </>
  );
}
