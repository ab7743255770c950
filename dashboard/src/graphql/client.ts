/**
 * The GraphQL client: one endpoint below the mount, the session's cookie, one cache in memory.
 */

import { cacheExchange, type CacheExchangeOpts } from "@urql/exchange-graphcache";
import { Client, fetchExchange, mapExchange, subscriptionExchange } from "urql";

import { address } from "../base.ts";
import { followed } from "./socket.ts";

/** Answers are figures of a range, not things with an identity: only events have one. */
const keys: NonNullable<CacheExchangeOpts["keys"]> = new Proxy(
  { Event: (data) => data.id as string },
  { get: (own: Record<string, (data: Record<string, unknown>) => string | null>, type: string) => own[type] ?? (() => null) },
);

/** Make a client for one session. */
export function makeClient(onExpired: () => void): Client {
  return new Client({
    url: address("/graphql"),
    preferGetMethod: false,
    requestPolicy: "cache-first",
    exchanges: [
      mapExchange({
        onError: (error) => {
          if ((error.response as Response | undefined)?.status === 401) onExpired();
        },
      }),
      cacheExchange({ keys }),
      fetchExchange,
      subscriptionExchange({ forwardSubscription: followed }),
    ],
  });
}
