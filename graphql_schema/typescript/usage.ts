// What a frontend writes with the generated types: this file is compiled, never run.
import type { ResultOf, TypedDocumentNode, VariablesOf } from "@graphql-typed-document-node/core";

import {
  DashboardDocument,
  ErrorPatternsDocument,
  PopularCommandsDocument,
  TimeSeriesDocument,
} from "./operations.js";

declare function ask<Result, Variables>(
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
): Promise<Result>;

export async function slowestCommands(search: string): Promise<string[]> {
  const names: string[] = [];
  let after: string | null = null;
  do {
    const variables: VariablesOf<typeof PopularCommandsDocument> = {
      orderBy: "LATENCY",
      range: { preset: "LAST_MONTH" },
      search,
      after,
    };
    const answer: ResultOf<typeof PopularCommandsDocument> = await ask(
      PopularCommandsDocument,
      variables,
    );
    // A question that fails is null, with an error beside it.
    const page = answer.popularCommands;
    if (page === null) return names;
    names.push(...page.edges.map((edge) => edge.node.name));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
  return names;
}

export async function change(): Promise<number | null> {
  const answer = await ask(DashboardDocument, { top: 3 });
  const executions = answer.dashboard?.summary.executions;
  const value: number | undefined = executions?.value;
  return value === undefined ? null : (executions?.changeRatio ?? null);
}

export async function failures(): Promise<Map<string, (number | null)[]>> {
  const answer = await ask(TimeSeriesDocument, {
    metric: "FAILURES",
    groupBy: "COMMAND",
    interval: "WEEK",
  });
  return new Map(answer.timeSeries?.parts.map((part) => [part.name, part.values]));
}

export async function mistakes(): Promise<void> {
  // @ts-expect-error: there is no such metric
  await ask(TimeSeriesDocument, { metric: "SALES" });
  // @ts-expect-error: the metric is required
  await ask(TimeSeriesDocument, {});
  const answer = await ask(ErrorPatternsDocument, {});
  // @ts-expect-error: it may be null
  answer.errorPatterns.edges;
  // @ts-expect-error: the operation does not ask for it
  answer.errorPatterns?.edges[0]?.node.affectedUserIds;
}
