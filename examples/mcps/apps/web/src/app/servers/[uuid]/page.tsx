// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { notFound } from "next/navigation";
import { reading } from "@/lib/database";
import { server } from "@/lib/queries";
import { Elsewhere, member, number } from "@/lib/show";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default async function Server({ params }: { params: Promise<{ uuid: string }> }) {
  const { uuid } = await params;
  const detail = UUID.test(uuid) ? await reading((client) => server(client, uuid)) : undefined;
  if (!detail) notFound();
  const { server: found, parts } = detail;
  return (
    <>
      <title>{`${found.name} – MCPS`}</title>
      <h1>{found.name}</h1>
      {found.description && <p>{found.description}</p>}
      <p className="facts">
        <span>{member(found.host_type)}</span>
        {found.risk_level && <span>Risk: {member(found.risk_level)}</span>}
        {found.verified_source && <span>Verified</span>}
        <span>{number(found.stars)} stars</span>
        {found.author_name && <span>{found.author_name}</span>}
        {found.license && <span>{found.license}</span>}
        <Elsewhere url={found.primary_url} />
      </p>
      {Object.entries(parts).filter(([, each]) => each.length > 0).map(([title, each]) => (
        <section key={title} data-part={title.toLowerCase()}>
          <h2>{title}</h2>
          <ul className="cards">
            {each.map((part, place) => (
              <li className="card" key={place}><h3>{part.name}</h3>{part.note && <p>{part.note}</p>}</li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}
