import { useMemo } from "react";
import { useLocation, useSearch } from "wouter";

import { asked, interval, parseRange, type Range, rangeSearch } from "./range.ts";

/** The range of the address, and ways to change it. */
export function useRange() {
  const search = useSearch();
  const [path, navigate] = useLocation();
  return useMemo(() => {
    const range = parseRange(search);
    return {
      range,
      /** As GraphQL takes it. */
      asked: asked(range),
      interval: interval(range),
      /** Where a view is that is to be about the same days. */
      linkTo: (to: string) => to + rangeSearch(range),
      setRange: (next: Range) => navigate(path + rangeSearch(next)),
    };
  }, [search, path, navigate]);
}
