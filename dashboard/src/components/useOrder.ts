import { useState } from "react";

import type { Sorting } from "./DataTable.tsx";

/**
 * What a list is sorted by. Columns that the server can order by ask it for that order, so that the
 * first are those of the whole list; by the others what is there is sorted.
 */
export function useOrder<Order extends string>(first: string, orders: Readonly<Record<string, Order>>) {
  const [sorting, setSorting] = useState<Sorting>({ key: first, descending: true });
  const [orderBy, setOrderBy] = useState<Order | undefined>(orders[first]);

  function sort(next: Sorting): void {
    setSorting(next);
    const order = orders[next.key];
    if (order !== undefined && next.descending) setOrderBy(order);
  }

  return { sorting, sort, ...(orderBy === undefined ? {} : { orderBy }) };
}
