/** Whoever opens the page: nobody yet, or somebody who is signed in. */

import { useCallback, useEffect, useMemo, useState } from "react";
import { Provider } from "urql";
import { Router } from "wouter";

import { address, base } from "./base.ts";
import { Notice } from "./components/Notice.tsx";
import { Frame } from "./Frame.tsx";
import { makeClient } from "./graphql/client.ts";
import { hangUp } from "./graphql/socket.ts";
import { currentSession, type Session, SessionContext, SignInError, signIn, signOut, takeCode } from "./session.ts";
import { SignIn } from "./SignIn.tsx";

type State =
  | { readonly kind: "asking" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "nobody"; readonly reason?: string }
  | { readonly kind: "somebody"; readonly session: Session };

async function opened(): Promise<State> {
  const code = takeCode();
  try {
    if (code !== null) return { kind: "somebody", session: await signIn({ code }) };
    const session = await currentSession();
    return session === null ? { kind: "nobody" } : { kind: "somebody", session };
  } catch (error) {
    return error instanceof SignInError && code !== null
      ? { kind: "nobody", reason: error.message }
      : { kind: "unreachable" };
  }
}

export function App() {
  const [state, setState] = useState<State>({ kind: "asking" });
  const open = useCallback(() => void opened().then(setState), []);
  useEffect(open, [open]);

  switch (state.kind) {
    case "asking":
      return <div className="busy" role="status" aria-label="Loading" />;
    case "unreachable":
      return (
        <main className="alone">
          <Notice
            title="The server cannot be reached."
            action={
              <button type="button" className="button" onClick={open}>
                Try again
              </button>
            }
          >
            Check that it is running and that your network is up.
          </Notice>
        </main>
      );
    case "nobody":
      return (
        <SignIn reason={state.reason} onSignedIn={(session) => setState({ kind: "somebody", session })} />
      );
    case "somebody":
      return <SignedIn key={state.session.id} session={state.session} onEnd={(reason) => setState({ kind: "nobody", ...reason })} />;
  }
}

interface SignedInProps {
  readonly session: Session;
  readonly onEnd: (reason: { reason?: string }) => void;
}

/** The longest that a browser's timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function SignedIn({ session, onEnd }: SignedInProps) {
  const expire = useCallback(() => {
    hangUp();
    onEnd({ reason: "Your session has ended. Sign in again." });
  }, [onEnd]);
  const client = useMemo(() => makeClient(expire), [expire]);
  const leave = useCallback(async () => {
    hangUp();
    await signOut().catch(() => null);
    onEnd({});
  }, [onEnd]);
  useEffect(() => {
    if (session.expiresAt === null) return;
    const left = Math.min(session.expiresAt - Date.now(), LONGEST_TIMER_MS);
    const timer = setTimeout(expire, left);
    return () => clearTimeout(timer);
  }, [session, expire]);
  // GraphiQL's page sends whoever is not signed in here, and they want to go back.
  const onward = session.role === "admin" && new URLSearchParams(location.search).get("next") === "graphiql";
  useEffect(() => {
    if (onward) location.replace(address("/graphiql"));
  }, [onward]);
  const signed = useMemo(() => ({ session, expire, leave }), [session, expire, leave]);
  return (
    <SessionContext value={signed}>
      <Provider value={client}>
        <Router base={base}>
          <Frame />
        </Router>
      </Provider>
    </SessionContext>
  );
}
