// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import type { Metadata } from "next";
import Link from "next/link";
import type { ReactNode } from "react";
import "./site.css";

export const metadata: Metadata = { title: { default: "MCPS", template: "%s – MCPS" }, description: "A hub for MCP servers" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <header>
          <nav aria-label="Site">
            <Link prefetch={false} href="/" className="brand">MCPS</Link>
            <Link prefetch={false} href="/servers">Servers</Link>
            <Link prefetch={false} href="/social">Social</Link>
          </nav>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
}
