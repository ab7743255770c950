/** Which days: a button that says so. What it opens is loaded when it is first wanted. */

import { lazy, Suspense, useState } from "react";

import { label } from "./label.ts";
import { useRange } from "./useRange.ts";

const RangeMenu = lazy(() => import("./RangeMenu.tsx"));

export function RangeButton() {
  const { range, setRange } = useRange();
  const [wanted, setWanted] = useState(false);
  const button = (
    <button type="button" className="button" aria-haspopup="menu" onClick={() => setWanted(true)}>
      {label(range)} <span aria-hidden="true">▾</span>
    </button>
  );
  if (!wanted) return button;
  return (
    <Suspense fallback={button}>
      <RangeMenu range={range} onChange={setRange} />
    </Suspense>
  );
}
