// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import type { Metadata } from "next";
import { reading } from "@/lib/database";
import { choice, pageNumber, text, type Parameters } from "@/lib/parameters";
import { PLATFORMS, posts } from "@/lib/queries";
import { Choice, number, Pages, PostCard } from "@/lib/show";

export const metadata: Metadata = { title: "Social" };

export default async function Social({ searchParams }: { searchParams: Promise<Parameters> }) {
  const parameters = await searchParams;
  const words = text(parameters, "q");
  const platform = choice(parameters, "platform", PLATFORMS);
  const page = pageNumber(parameters);
  const found = await reading((client) => posts(client, { words, platform }, page));
  return (
    <>
      <h1>What people say</h1>
      <form action="/social">
        <label>Words <input type="search" name="q" defaultValue={words} maxLength={200} /></label>
        <Choice name="platform" label="Platform" names={PLATFORMS} chosen={platform} />
        <button>Show</button>
      </form>
      <p id="total">{number(found.total)} found</p>
      <ul className="cards">{found.rows.map((each) => <PostCard key={each.uuid} post={each} />)}</ul>
      <Pages path="/social" parameters={{ q: words, platform }} page={page} total={found.total} />
    </>
  );
}
