// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

// What visitors write into addresses: anything at all.
export type Parameters = Readonly<Record<string, string | string[] | undefined>>;

export const PAGE_SIZE = 20;
const LAST_PAGE = 100_000;
const LONGEST = 200;

/** The first value of a parameter, without what a database cannot hold. */
export function text(parameters: Parameters, name: string): string {
  const value = parameters[name];
  const first = (Array.isArray(value) ? value[0] : value) ?? "";
  return first.replaceAll("\0", "").trim().slice(0, LONGEST);
}

/** A parameter that has to be one of these, or nothing. */
export function choice<Name extends string>(parameters: Parameters, name: string, names: readonly Name[]): Name | undefined {
  return names.find((each) => each === text(parameters, name));
}

export function pageNumber(parameters: Parameters): number {
  const number = Number(text(parameters, "page"));
  return Number.isInteger(number) && number >= 1 && number <= LAST_PAGE ? number : 1;
}

/** An address with those parameters that say something. */
export function address(path: string, parameters: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "" && !(name === "page" && value === 1)) query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}
