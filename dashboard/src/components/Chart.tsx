/**
 * Lines over time, in UTC: drawn by uPlot, told by a tip beside the pointer, and always to be had as
 * a table. Dragging over it chooses days.
 */

import "uplot/dist/uPlot.min.css";

import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";

import type { Interval } from "../generated/operations.ts";
import { instant, shortDay } from "../format.ts";

export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** Drawn behind the others, with dashes. */
  readonly former?: boolean;
}

interface ChartProps {
  readonly label: string;
  readonly at: readonly number[];
  readonly lines: readonly Line[];
  readonly interval: Interval;
  readonly format: (value: number | null) => string;
  readonly axisFormat?: (value: number) => string;
  /** Told the first and the last instant that were chosen by dragging. */
  readonly onZoom?: (fromMs: number, toMs: number) => void;
  readonly small?: boolean;
}

interface Tip {
  readonly index: number;
  readonly left: number;
  readonly right: boolean;
}

/** Lines are told apart by their dashes, too. */
const DASHES: readonly number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4]];
const FORMER = [4, 4];
const MAX_LINES = 6;
const SMALLEST_DRAG_PX = 8;

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Changes when the system goes from light to dark or back: a canvas does not follow by itself. */
function useScheme(): boolean {
  const query = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const follow = () => setDark(query.matches);
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, [query]);
  return dark;
}

function moment(ms: number, interval: Interval): string {
  if (interval === "HOUR") return `${instant(ms)} UTC`;
  return interval === "WEEK" ? `Week of ${shortDay(ms)}` : shortDay(ms);
}

/** Which drawing a line has: the first has none of the dashes. */
function Key({ index, former }: { readonly index: number; readonly former: boolean }) {
  return (
    <svg viewBox="0 0 20 8" aria-hidden="true">
      <line
        className={former ? "series-6" : `series-${index + 1}`}
        x1="0"
        x2="20"
        y1="4"
        y2="4"
        strokeWidth="2"
        strokeDasharray={(former ? FORMER : (DASHES[index] ?? [])).join(" ")}
      />
    </svg>
  );
}

export function Chart({ label, at, lines, interval, format, axisFormat, onZoom, small = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [tip, setTip] = useState<Tip | null>(null);
  const [table, setTable] = useState(false);
  const dark = useScheme();
  const shown = useMemo(() => lines.slice(0, MAX_LINES), [lines]);
  const zoom = useRef(onZoom);
  useEffect(() => {
    zoom.current = onZoom;
  }, [onZoom]);
  const axis = useRef(axisFormat ?? format);
  useEffect(() => {
    axis.current = axisFormat ?? format;
  }, [axisFormat, format]);

  useEffect(() => {
    const element = box.current;
    if (element === null || table) return;
    const height = small ? 180 : 260;
    const soft = token("soft");
    const grid = { stroke: token("grid"), width: 1 };
    const lone = at.length === 1;
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        ms: 1,
        tzDate: (ms) => uPlot.tzDate(new Date(ms), "UTC"),
        legend: { show: false },
        padding: [10, 12, 0, 0],
        cursor: {
          y: false,
          drag: { x: zoom.current !== undefined, y: false, setScale: false },
          points: { size: 7 },
        },
        scales: {
          x: { time: true },
          y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] },
        },
        axes: [
          {
            stroke: soft,
            grid: { show: false },
            ticks: { show: false },
            font: "12px system-ui",
            space: 70,
            values: (_, splits, __, ___, step) =>
              splits.map((ms) =>
                step < 86_400_000 && ms % 86_400_000 !== 0 ? instant(ms).slice(11) : shortDay(ms),
              ),
          },
          {
            stroke: soft,
            grid,
            ticks: { show: false },
            font: "12px system-ui",
            size: 62,
            values: (_, splits) => splits.map((value) => axis.current(value)),
          },
        ],
        series: [
          {},
          ...shown.map((line, index) => ({
            stroke: token(line.former === true ? "series-6" : `series-${index + 1}`),
            width: line.former === true ? 1.4 : 2,
            dash: [...(line.former === true ? FORMER : (DASHES[index] ?? []))],
            points: { show: lone || line.values.filter((value) => value !== null).length === 1, size: 6 },
            ...(index === 0 && shown.length === 1 ? { fill: token("accent-soft") } : {}),
          })),
        ],
        hooks: {
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (width >= SMALLEST_DRAG_PX) {
                zoom.current?.(self.posToVal(left, "x"), self.posToVal(left + width, "x"));
              }
            },
          ],
          setCursor: [
            (self) => {
              const { idx, left } = self.cursor;
              if (idx == null || left === undefined || left < 0) setTip(null);
              else {
                const right = left > self.over.clientWidth / 2;
                setTip({ index: idx, left: left + self.over.offsetLeft, right });
              }
            },
          ],
        },
      },
      [[...at], ...shown.map((line) => [...line.values])] as uPlot.AlignedData,
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [at, shown, table, small, dark]);

  const many = shown.length > 1;
  return (
    <div>
      {many ? (
        <ul className="legend" aria-label={`Lines of ${label}`}>
          {shown.map((line, index) => (
            <li key={line.name}>
              <Key index={index} former={line.former === true} />
              <span className="name">{line.name}</span>
            </li>
          ))}
        </ul>
      ) : null}
      {table ? (
        <ChartTable label={label} at={at} lines={shown} interval={interval} format={format} />
      ) : (
        <div className={small ? "chart small" : "chart"}>
          <div ref={box} role="img" aria-label={`${label}, as a chart; “Show as table” has its numbers`} />
          {tip === null ? null : (
            <TipBox tip={tip} at={at} lines={shown} interval={interval} format={format} />
          )}
        </div>
      )}
      <div className="tools">
        <button type="button" className="button quiet small" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? "Show as chart" : "Show as table"}
        </button>
        {onZoom === undefined || table ? null : <span className="soft small">Drag over it to choose days. Times are UTC.</span>}
      </div>
    </div>
  );
}

type Shown = Pick<ChartProps, "at" | "lines" | "interval" | "format">;

function TipBox({ tip, at, lines, interval, format }: Shown & { readonly tip: Tip }) {
  const ms = at[tip.index];
  if (ms === undefined) return null;
  const offset = 14;
  return (
    <div
      className="tip"
      aria-hidden="true"
      style={tip.right ? { right: `calc(100% - ${tip.left - offset}px)` } : { left: `${tip.left + offset}px` }}
    >
      <strong>{moment(ms, interval)}</strong>
      <dl>
        {lines.map((line) => (
          <div key={line.name} style={{ display: "contents" }}>
            <dt>{line.name}</dt>
            <dd>{format(line.values[tip.index] ?? null)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function ChartTable({ label, at, lines, interval, format }: Shown & { readonly label: string }) {
  return (
    <div className="chart-table" tabIndex={0} role="group" aria-label={`${label}, as a table`}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{interval === "HOUR" ? "Hour, UTC" : interval === "WEEK" ? "Week" : "Day"}</th>
            {lines.map((line) => (
              <th key={line.name} scope="col" className="end">
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {at.map((ms, index) => (
            <tr key={ms}>
              <th scope="row">{moment(ms, interval)}</th>
              {lines.map((line) => (
                <td key={line.name} className="end">
                  {format(line.values[index] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
