/**
 * A list that is asked for page by page, and grows: the first page when the view opens or its
 * question changes, one more whenever somebody wants more.
 */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useMemo, useState } from "react";
import { type AnyVariables, useClient } from "urql";

import { type Answer, type Problem, problemOf, useAnswer } from "./useAnswer.ts";

export interface Page<Node> {
  readonly edges: readonly { readonly node: Node }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly totalCount?: number;
}

export interface List<Node> {
  readonly answer: Answer<unknown>;
  readonly nodes: readonly Node[];
  readonly total: number | null;
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  readonly more: () => void;
}

interface Rest<Node> {
  readonly of: Page<Node>;
  readonly pages: readonly Page<Node>[];
}

export function useList<Data, Variables extends AnyVariables & { after?: string | null | undefined }, Node>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  pick: (data: Data) => Page<Node> | null,
): List<Node> {
  const client = useClient();
  const answer = useAnswer(query, variables);
  const first = answer.data === undefined ? null : pick(answer.data);
  const [rest, setRest] = useState<Rest<Node> | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // Pages go on from one first page: after another one they are another list's.
  const pages = useMemo(
    () => (first === null ? [] : [first, ...(rest?.of === first ? rest.pages : [])]),
    [first, rest],
  );
  const last = pages.at(-1);

  async function more(): Promise<void> {
    if (last === undefined || first === null) return;
    setLoadingMore(true);
    setProblem(null);
    const { data, error } = await client.query(query, { ...variables, after: last.pageInfo.endCursor }).toPromise();
    setLoadingMore(false);
    if (error !== undefined) setProblem(problemOf(error));
    const page = data === undefined ? null : pick(data);
    if (page !== null) setRest({ of: first, pages: [...pages.slice(1), page] });
  }

  return {
    answer: problem === null ? answer : { ...answer, problem, again: () => void more() },
    nodes: useMemo(() => pages.flatMap((page) => page.edges.map((edge) => edge.node)), [pages]),
    total: first?.totalCount ?? null,
    hasMore: last?.pageInfo.hasNextPage ?? false,
    loadingMore,
    more: () => void more(),
  };
}
