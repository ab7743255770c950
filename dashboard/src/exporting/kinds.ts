import type { ExportFormat, ExportSection } from "../generated/operations.ts";

/** A file that can be had. */
export interface Kind {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly format: ExportFormat;
  readonly section?: ExportSection;
}

export const KINDS: readonly Kind[] = [
  { id: "json", title: "JSON", note: "everything shown", format: "JSON" },
  { id: "csv-commands", title: "CSV", note: "commands", format: "CSV", section: "COMMANDS" },
  { id: "csv-errors", title: "CSV", note: "error patterns", format: "CSV", section: "ERRORS" },
  { id: "csv", title: "CSV", note: "all tables, zipped", format: "CSV" },
  { id: "ndjson", title: "NDJSON", note: "single events", format: "NDJSON" },
  { id: "parquet", title: "Parquet", note: "single events", format: "PARQUET" },
];
