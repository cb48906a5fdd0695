// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import type { Metadata } from "next";
import { reading } from "@/lib/database";
import { choice, pageNumber, text, type Parameters } from "@/lib/parameters";
import { HOST_TYPES, RISK_LEVELS, servers } from "@/lib/queries";
import { Choice, number, Pages, ServerCard } from "@/lib/show";

export const metadata: Metadata = { title: "Servers" };

export default async function Servers({ searchParams }: { searchParams: Promise<Parameters> }) {
  const parameters = await searchParams;
  const words = text(parameters, "q");
  const host = choice(parameters, "host", HOST_TYPES);
  const risk = choice(parameters, "risk", RISK_LEVELS);
  const verified = choice(parameters, "verified", ["yes"]);
  const page = pageNumber(parameters);
  const found = await reading((client) => servers(client, { words, host, risk, verified: verified === "yes" }, page));
  return (
    <>
      <h1>Servers</h1>
      <form action="/servers">
        <label>Words <input type="search" name="q" defaultValue={words} maxLength={200} /></label>
        <Choice name="host" label="Host" names={HOST_TYPES} chosen={host} />
        <Choice name="risk" label="Risk" names={RISK_LEVELS} chosen={risk} />
        <Choice name="verified" label="Verified" names={["yes"]} chosen={verified} />
        <button>Show</button>
      </form>
      <p id="total">{number(found.total)} found</p>
      <ul className="cards">{found.rows.map((each) => <ServerCard key={each.uuid} server={each} />)}</ul>
      <Pages path="/servers" parameters={{ q: words, host, risk, verified }} page={page} total={found.total} />
    </>
  );
}
