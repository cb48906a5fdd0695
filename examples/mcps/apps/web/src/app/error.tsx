"use client";
// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

/** What a page shows that failed; the reason is in the server's log. */
export default function Failed() {
  return (
    <>
      <h1>Out of order</h1>
      <p>The database does not answer. Try again in a moment.</p>
    </>
  );
}
