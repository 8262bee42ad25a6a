/** Answers of the REST API, as docs/searching.md and /api/schema/ describe them. */

export type Severity = "trace" | "debug" | "info" | "warn" | "error" | "fatal";
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

export interface Line {
  id: string;
  time: string;
  observed: string;
  received: string | null;
  severity: Severity | null;
  severity_number: number | null;
  service: string | null;
  host: string | null;
  message: string;
  trace_id: string | null;
  span_id: string | null;
  source: string;
  batch: string | null;
  attributes: { [name: string]: Json };
  flags: string[];
}

export interface Complaint {
  param: string;
  offset: number;
  length: number;
  message: string;
  hint: string | null;
  fix: string | null;
}

export interface Covered {
  start: string | null;
  end: string | null;
}

interface Answer {
  as_of: string;
  partial: boolean;
  warnings: Complaint[];
  took_ms: number;
}

export interface Page extends Answer {
  as_of_time: string;
  total: number | null;
  total_relation: "eq" | "gte" | null;
  logs: Line[];
  next: string | null;
  prev: string | null;
  covered: Covered | null;
}

export interface Series {
  value: string;
  kind: "value" | "other" | "missing";
  total: number;
  counts: number[];
}

export interface Histogram extends Answer {
  start: string;
  end: string;
  step: string;
  total: number;
  times: string[];
  series: Series[];
  covered: Covered | null;
}

export interface FacetValue {
  value: string;
  count: number;
  selected: boolean;
}

export interface Facet {
  field: string;
  type: "string" | "number" | "boolean" | "array" | "object" | "mixed" | null;
  total: number;
  missing: number;
  other: number;
  distinct: number;
  distinct_relation: "eq" | "gte";
  values: FacetValue[];
  covered: Covered | null;
}

export interface Facets extends Answer {
  facets: Facet[];
}

export interface Context {
  line: Line;
  before: Line[];
  after: Line[];
  prev: string | null;
  next: string | null;
  as_of: string;
  partial: boolean;
  covered: Covered | null;
  took_ms: number;
}

export interface FieldEntry {
  name: string;
  types: string[];
  count: number;
  distinct: number | null;
  example: string | null;
  builtin: boolean;
}

export interface Fields {
  fields: FieldEntry[];
  as_of: string;
}

export interface Suggestion {
  newest: Line | null;
  fixes: { message: string; q: string; lines: number; lines_relation: "eq" | "gte" }[];
  as_of: string;
}

export interface Parsed {
  errors: Complaint[];
  warnings: Complaint[];
  canonical: string | null;
}

export interface Waiting {
  batches: number;
  rows: number;
  oldest_ms?: number | null;
}

/** What the pipeline says of itself. With the database away it comes inside a problem, and shorter. */
export interface Status {
  as_of_time: string;
  newest: string | null;
  any_lines: boolean;
  queued: Waiting | null;
  spilled: Waiting | null;
  broker: "ok" | "full" | "away";
  last_commit: string | null;
  sources: number;
  hidden_sources: number;
  edition: string;
  retention_days: number;
  imbalance: number;
  unheld: number;
  version: string;
  demo: { title: string; q: string; start: string; end: string }[];
}

export interface Preferences {
  theme?: "system" | "light" | "dark";
  columns?: string[];
  density?: "compact" | "cosy";
  wrap?: boolean;
  tz?: string;
  single_keys?: boolean;
  facets_width?: number;
}

export interface Me {
  username: string;
  staff: boolean;
  may_make_tokens: boolean;
  preferences: Preferences;
  sources: { name: string }[];
}
