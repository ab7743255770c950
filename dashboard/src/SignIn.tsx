import { type SubmitEvent, useEffect, useState } from "react";

import icon from "./assets/icon.svg";
import { Notice } from "./components/Notice.tsx";
import { type Session, SignInError, signIn } from "./session.ts";

interface SignInProps {
  /** Why it is shown, where that needs saying. */
  readonly reason?: string | undefined;
  readonly onSignedIn: (session: Session) => void;
}

/** A token in, a session out: the token is kept nowhere. */
export function SignIn({ reason, onSignedIn }: SignInProps) {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  useEffect(() => {
    document.title = "Sign in · copilot-analytics";
  }, []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setRefused(null);
    try {
      onSignedIn(await signIn({ token: token.trim() }));
    } catch (error) {
      setRefused(error instanceof SignInError ? error.message : "That did not work. Try again.");
    } finally {
      setBusy(false);
      setToken("");
    }
  }

  const told = refused ?? reason;
  return (
    <main className="alone">
      <div className="alone-box">
        <div className="brand">
          <img src={icon} alt="" />
          <span>copilot-analytics</span>
        </div>
        <h1>Sign in</h1>
        {told === undefined ? null : (
          <Notice kind={refused === null ? "warn" : "bad"} title={told}>
            Tokens come from whoever runs this server: it prints one when it starts, or
            <code> copilot-analytics token create</code> makes one.
          </Notice>
        )}
        <form onSubmit={(event) => void submit(event)}>
          <div className="field">
            <label htmlFor="token">Token</label>
            <input
              id="token"
              className="input"
              type="password"
              autoComplete="off"
              spellCheck={false}
              required
              maxLength={8_192}
              value={token}
              onChange={(event) => setToken(event.target.value)}
            />
          </div>
          <button type="submit" className="button primary" disabled={busy || token.trim() === ""}>
            {busy ? "Signing in…" : "Sign in"}
          </button>
        </form>
        <p className="soft small">
          The token is exchanged for a cookie that scripts cannot read, and is not kept in this browser.
        </p>
      </div>
    </main>
  );
}
