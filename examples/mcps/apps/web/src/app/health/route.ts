// SPDX-FileCopyrightText: 2026 The mcps.postgres authors
// SPDX-License-Identifier: GPL-3.0-or-later

import { connection } from "next/server";
import { latency } from "@/lib/database";

/** 200 and healthy while the database answers, otherwise 503; the reason is for the log alone. */
export async function GET(): Promise<Response> {
  await connection();
  try {
    return Response.json({ status: "healthy", latency_ms: await latency() });
  } catch (error) {
    console.error("the database does not answer:", error instanceof Error ? error.message : error);
    return Response.json({ status: "unhealthy" }, { status: 503 });
  }
}
