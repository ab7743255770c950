/** Downloads of the days that are shown. What it opens is loaded when it is first wanted. */

import { lazy, Suspense, useState } from "react";

import { Notice } from "../components/Notice.tsx";
import { useDownload } from "./useDownload.ts";

const ExportMenu = lazy(() => import("./ExportMenu.tsx"));

export function ExportButton() {
  const [wanted, setWanted] = useState(false);
  const { download, busy, problem } = useDownload();
  const button = (
    <button type="button" className="button" aria-haspopup="menu" disabled={busy} onClick={() => setWanted(true)}>
      {busy ? "Exporting…" : "Export"} <span aria-hidden="true">▾</span>
    </button>
  );
  return (
    <>
      {wanted && !busy ? (
        <Suspense fallback={button}>
          <ExportMenu onChoose={(kind) => void download(kind)} onClose={() => setWanted(false)} />
        </Suspense>
      ) : (
        button
      )}
      {problem === null ? null : <Notice title={problem.title}>{problem.advice}</Notice>}
    </>
  );
}
