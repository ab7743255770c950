/** Rows and columns: sorted by what is clicked, scrolling sideways in themselves where they are wide. */

import { type ReactNode, useMemo, useState } from "react";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the end. */
  readonly end?: boolean;
  /** Names the row. */
  readonly main?: boolean;
  /** What rows are sorted by; null comes last. Without it the column does not sort. */
  readonly by?: (row: Row) => number | string | null;
}

export interface Sorting {
  readonly key: string;
  readonly descending: boolean;
}

interface DataTableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly sorting?: Sorting;
  /** Told what is sorted by, so that the server can be asked for that order. */
  readonly onSort?: (sorting: Sorting) => void;
  readonly empty?: ReactNode;
}

function compare(a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** Rows in order; those without a value last, whichever the direction. */
function sorted<Row>(rows: readonly Row[], column: Column<Row> | undefined, descending: boolean): readonly Row[] {
  const by = column?.by;
  if (by === undefined) return rows;
  return rows.toSorted((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (x === null || y === null) return compare(x, y);
    return descending ? compare(y, x) : compare(x, y);
  });
}

export function DataTable<Row>({ caption, columns, rows, rowKey, sorting, onSort, empty }: DataTableProps<Row>) {
  const [own, setOwn] = useState<Sorting | null>(null);
  const current = own ?? sorting ?? null;
  const ordered = useMemo(
    () => (current === null ? rows : sorted(rows, columns.find((each) => each.key === current.key), current.descending)),
    [rows, columns, current],
  );

  function sort(column: Column<Row>): void {
    const again = current?.key === column.key;
    const next = { key: column.key, descending: again ? !current.descending : column.end === true };
    setOwn(next);
    onSort?.(next);
  }

  if (rows.length === 0) return <div className="empty">{empty ?? "Nothing in this range."}</div>;
  return (
    <div className="table-box" tabIndex={0} role="group" aria-label={caption}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => {
              const active = current?.key === column.key;
              const direction = active ? (current.descending ? "descending" : "ascending") : undefined;
              return (
                <th key={column.key} scope="col" className={column.end === true ? "end" : undefined} aria-sort={direction}>
                  {column.by === undefined ? (
                    column.title
                  ) : (
                    <button type="button" className="sort" onClick={() => sort(column)}>
                      {column.title}
                      {direction === undefined ? null : <span aria-hidden="true">{direction === "descending" ? "↓" : "↑"}</span>}
                    </button>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {ordered.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) =>
                column.main === true ? (
                  <th key={column.key} scope="row" className="main">
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.key} className={column.end === true ? "end" : undefined}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
