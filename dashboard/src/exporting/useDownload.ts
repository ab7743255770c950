import { useState } from "react";
import { useClient } from "urql";

import { address } from "../base.ts";
import { ExportDocument } from "../generated/operations.ts";
import { type Problem, problemOf } from "../graphql/useAnswer.ts";
import { useRange } from "../range/useRange.ts";
import type { Kind } from "./kinds.ts";

function save(href: string, filename: string): void {
  const link = document.createElement("a");
  link.href = href;
  link.download = filename;
  link.click();
}

/** Download a file about the days that are shown. */
export function useDownload() {
  const client = useClient();
  const { asked } = useRange();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function download(kind: Kind): Promise<void> {
    setBusy(true);
    setProblem(null);
    const { data, error } = await client
      .query(
        ExportDocument,
        { format: kind.format, section: kind.section ?? null, range: asked, content: false },
        { requestPolicy: "network-only" },
      )
      .toPromise();
    setBusy(false);
    if (error !== undefined) setProblem(problemOf(error));
    const file = data?.export;
    if (file?.url != null) save(address(file.url), file.filename);
  }

  return { download, busy, problem };
}
