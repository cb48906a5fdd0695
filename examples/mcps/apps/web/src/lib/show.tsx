// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Pieces that several pages show.
import Link from "next/link";
import { address, PAGE_SIZE } from "./parameters";
import type { Post, ServerLine } from "./queries";

const NUMBER = new Intl.NumberFormat("en");

export const number = (value: number): string => NUMBER.format(value);

/** The name of a member, for people: HACKER_NEWS is Hacker news. */
export function member(name: string): string {
  const words = name.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A link to elsewhere, where the address is one that browsers go to; other schemes are shown as text. */
export function Elsewhere({ url }: { url: string }) {
  return /^https?:\/\//i.test(url) ? <a href={url} rel="noreferrer nofollow">{url}</a> : <span>{url}</span>;
}

export function Choice({ name, label, names, chosen }: { name: string; label: string; names: readonly string[]; chosen: string | undefined }) {
  return (
    <label>
      {label}
      <select name={name} defaultValue={chosen ?? ""}>
        <option value="">All</option>
        {names.map((each) => <option key={each} value={each}>{member(each)}</option>)}
      </select>
    </label>
  );
}

export function ServerCard({ server }: { server: ServerLine }) {
  return (
    <li className="card server">
      <h3><Link prefetch={false} href={`/servers/${server.uuid}`}>{server.name}</Link></h3>
      {server.description && <p>{server.description}</p>}
      <p className="facts">
        <span>{member(server.host_type)}</span>
        {server.risk_level && <span>Risk: {member(server.risk_level)}</span>}
        {server.verified_source && <span>Verified</span>}
        <span>{number(server.stars)} stars</span>
      </p>
    </li>
  );
}

export function PostCard({ post }: { post: Post }) {
  return (
    <li className="card post" data-uuid={post.uuid}>
      {post.title && <h3>{post.title}</h3>}
      <p>{post.content}</p>
      <p className="facts">
        <span>{member(post.platform)}</span>
        {post.author && <span>{post.author}</span>}
        <time dateTime={`${post.published_at.replace(" ", "T")}Z`}>{post.published_at.slice(0, 16)}</time>
        <Elsewhere url={post.url} />
      </p>
    </li>
  );
}

export function Pages({ path, parameters, page, total }: { path: string; parameters: Record<string, string | undefined>; page: number; total: number }) {
  const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
  return (
    <nav className="pages" aria-label="Pages">
      {page > 1 && <Link prefetch={false} rel="prev" href={address(path, { ...parameters, page: Math.min(page - 1, last) })}>Previous</Link>}
      <span>Page {number(page)} of {number(last)}</span>
      {page < last && <Link prefetch={false} rel="next" href={address(path, { ...parameters, page: page + 1 })}>Next</Link>}
    </nav>
  );
}
