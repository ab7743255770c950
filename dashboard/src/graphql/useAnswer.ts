/**
 * An answer as views show it: what is known, whether it is being asked for, what went wrong.
 */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useEffect, useState } from "react";
import { type AnyVariables, type CombinedError, useQuery } from "urql";

/** Beyond this, a view says that it takes longer than usual. */
const SLOW_MS = 4_000;

export interface Problem {
  readonly title: string;
  readonly advice: string;
}

export interface Answer<Data> {
  readonly data: Data | undefined;
  /** Nothing is there yet, or something newer is being asked for. */
  readonly loading: boolean;
  readonly slow: boolean;
  readonly problem: Problem | null;
  readonly again: () => void;
}

/** What to tell people of an error. */
export function problemOf(error: CombinedError): Problem {
  if (error.networkError) {
    const status = (error.response as Response | undefined)?.status;
    if (status === 401) return { title: "Your session has ended.", advice: "Sign in again." };
    if (status === 429) return { title: "Too many requests.", advice: "Wait a minute, then try again." };
    return {
      title: "The server cannot be reached.",
      advice: "What you see may be old. Check that the server is running and your network is up, then try again.",
    };
  }
  const [first] = error.graphQLErrors;
  const code = first?.extensions.code;
  if (code === "FORBIDDEN") {
    return { title: "You may not see this.", advice: "Only an administrator may: sign in with an admin's token." };
  }
  if (code === "UNAVAILABLE") {
    return {
      title: "The store cannot be read now.",
      advice: `Events are still recorded. Try again; the server's log says more. ${first?.message ?? ""}`,
    };
  }
  return { title: "This could not be answered.", advice: first?.message ?? error.message };
}

/** Ask, and ask again when variables change. */
export function useAnswer<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  options: { readonly pause?: boolean } = {},
): Answer<Data> {
  const [result, execute] = useQuery<Data, Variables>({
    query,
    variables,
    pause: options.pause ?? false,
  });
  const loading = result.fetching || result.stale;
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    if (!loading) return;
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => {
      clearTimeout(timer);
      setSlow(false);
    };
  }, [loading]);
  // While something newer is asked for, what was there stays; but where that cannot be had, nothing
  // of another question may stand for its answer. (urql keeps it.)
  const question = JSON.stringify(variables);
  const [answered, setAnswered] = useState<string | null>(null);
  const unanswered = result.error?.networkError !== undefined;
  if (!loading && !unanswered && answered !== question) setAnswered(question);
  return {
    data: !loading && unanswered && answered !== question ? undefined : result.data,
    loading,
    slow,
    problem: result.error ? problemOf(result.error) : null,
    again: () => execute({ requestPolicy: "network-only" }),
  };
}
