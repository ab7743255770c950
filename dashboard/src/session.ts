/**
 * Who is signed in: asked of the server, which keeps it in a cookie that no script can read.
 */

import { createContext, useContext } from "react";

import { address } from "./base.ts";

export interface Session {
  readonly id: string;
  readonly role: "admin" | "user";
  /** Epoch milliseconds; null: no end. */
  readonly expiresAt: number | null;
  /** Whether it is this page's own session, and not one of the application around it. */
  readonly canSignOut: boolean;
}

/** Why nobody is signed in. */
export class SignInError extends Error {}

type Told = Session | { readonly id: null } | { readonly error: string };

async function told(response: Response): Promise<Session | null> {
  const body = (await response.json().catch(() => null)) as Told | null;
  if (response.ok && body !== null && "id" in body) return body.id === null ? null : body;
  throw new SignInError(body !== null && "error" in body ? body.error : `The server answered ${response.status}.`);
}

/** Who is signed in; null for nobody. */
export async function currentSession(): Promise<Session | null> {
  return told(await fetch(address("/session"), { cache: "no-store" }));
}

/** Sign in with a token, or with the code of a link. */
export async function signIn(credentials: { token: string } | { code: string }): Promise<Session> {
  let response: Response;
  try {
    response = await fetch(address("/session"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(credentials),
    });
  } catch {
    throw new SignInError("The server cannot be reached. Is it running? Try again.");
  }
  const session = await told(response);
  if (session === null) throw new SignInError("The server knows nobody by this.");
  return session;
}

/** End the session, on the server too. */
export async function signOut(): Promise<void> {
  await fetch(address("/session"), {
    method: "DELETE",
    headers: { "content-type": "application/json" },
  });
}

/** The code of a sign-in link, which is taken out of the address at once. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

export interface Signed {
  readonly session: Session;
  /** The server no longer knows the session. */
  readonly expire: () => void;
  readonly leave: () => Promise<void>;
}

export const SessionContext = createContext<Signed | null>(null);

export function useSession(): Signed {
  const signed = useContext(SessionContext);
  if (signed === null) throw new Error("nobody is signed in here");
  return signed;
}
