/**
 * Subscriptions over graphql-transport-ws: one socket, opened when something is followed, opened
 * again when it is lost, and told of to whoever shows it.
 */

import { createClient, type Client as SocketClient } from "graphql-ws";
import type { SubscriptionForwarder } from "urql";

import { socketAddress } from "../base.ts";

export type Line = "closed" | "connecting" | "open" | "lost" | "expired";

let state: Line = "closed";
const listeners = new Set<() => void>();

function become(next: Line): void {
  state = next;
  for (const listener of listeners) listener();
}

/** How the socket is, and who wants to know when that changes. */
export const line = {
  get: (): Line => state,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

const EXPIRED = [4403, 4401];
const LONGEST_WAIT_MS = 15_000;

let client: SocketClient | null = null;

function socket(): SocketClient {
  client ??= createClient({
    url: socketAddress("/graphql"),
    lazy: true,
    keepAlive: 20_000,
    retryAttempts: Infinity,
    shouldRetry: () => state !== "expired",
    retryWait: async (retries) => {
      become("lost");
      const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** retries) * (0.75 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, wait));
    },
    on: {
      connecting: () => become(state === "lost" ? "lost" : "connecting"),
      connected: () => become("open"),
      closed: (event) => {
        const code = event instanceof CloseEvent ? event.code : 0;
        become(EXPIRED.includes(code) ? "expired" : code === 1000 ? "closed" : "lost");
      },
    },
  });
  return client;
}

/** End the socket, as when somebody signs out. */
export function hangUp(): void {
  void client?.dispose();
  client = null;
  become("closed");
}

export const followed: SubscriptionForwarder = (operation) => ({
  subscribe: (sink) => ({
    unsubscribe: socket().subscribe(
      { query: operation.query ?? "", variables: operation.variables ?? {} },
      {
        next: (result) => sink.next(result as Parameters<typeof sink.next>[0]),
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      },
    ),
  }),
});
