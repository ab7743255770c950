/** What is around every view: navigation, who is signed in; and which view an address means. */

import { type ComponentType, lazy, Suspense, useEffect, useRef, useState } from "react";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";

import icon from "./assets/icon.svg";
import { address } from "./base.ts";
import { Icon, type IconName } from "./components/Icon.tsx";
import { useRange } from "./range/useRange.ts";
import { useSession } from "./session.ts";
import { Summary } from "./views/Summary.tsx";

interface View {
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
}

const ADMIN_VIEWS: readonly View[] = [
  { path: "/", title: "Summary", icon: "summary" },
  { path: "/commands", title: "Commands", icon: "commands" },
  { path: "/errors", title: "Errors", icon: "errors" },
  { path: "/users", title: "Users", icon: "users" },
  { path: "/intents", title: "Intents", icon: "intents" },
  { path: "/streaming", title: "Streaming", icon: "streaming" },
  { path: "/connections", title: "Connections", icon: "connections" },
  { path: "/live", title: "Live", icon: "live" },
  { path: "/health", title: "Health", icon: "health" },
];

const USER_VIEWS: readonly View[] = [
  { path: "/", title: "My activity", icon: "users" },
  { path: "/live", title: "Live", icon: "live" },
];

const Commands = lazy(() => import("./views/Commands.tsx"));
const Command = lazy(() => import("./views/Command.tsx"));
const Errors = lazy(() => import("./views/Errors.tsx"));
const ErrorPattern = lazy(() => import("./views/ErrorPattern.tsx"));
const Users = lazy(() => import("./views/Users.tsx"));
const User = lazy(() => import("./views/User.tsx"));
const Intents = lazy(() => import("./views/Intents.tsx"));
const Streaming = lazy(() => import("./views/Streaming.tsx"));
const Connections = lazy(() => import("./views/Connections.tsx"));
const Conversation = lazy(() => import("./views/Conversation.tsx"));
const Live = lazy(() => import("./views/Live.tsx"));
const Health = lazy(() => import("./views/Health.tsx"));

export function Frame() {
  const { session } = useSession();
  const [open, setOpen] = useState(false);
  const [path] = useLocation();
  const middle = useRef<HTMLElement>(null);
  const first = useRef(true);
  // Those who hear the page are taken to a new view, as those who see it are.
  useEffect(() => {
    if (first.current) first.current = false;
    else {
      middle.current?.focus();
      window.scrollTo(0, 0);
    }
  }, [path]);
  return (
    <div className="frame">
      <a className="button skip" href="#middle">
        Skip to content
      </a>
      <header className="side" data-open={open}>
        <div className="brand">
          <img src={icon} alt="" />
          <span>copilot-analytics</span>
          <button
            type="button"
            className="button menu-button"
            aria-expanded={open}
            aria-controls="navigation"
            onClick={() => setOpen(!open)}
          >
            <Icon name="menu" /> Menu
          </button>
        </div>
        <Navigation views={session.role === "admin" ? ADMIN_VIEWS : USER_VIEWS} onFollow={() => setOpen(false)} />
        <Who />
      </header>
      <main className="middle" id="middle" ref={middle} tabIndex={-1}>
        <Suspense fallback={<div className="busy" role="status" aria-label="Loading" />}>
          {session.role === "admin" ? <AdminRoutes /> : <UserRoutes />}
        </Suspense>
      </main>
    </div>
  );
}

function Navigation({ views, onFollow }: { readonly views: readonly View[]; readonly onFollow: () => void }) {
  const { session } = useSession();
  const { linkTo } = useRange();
  const [path] = useLocation();
  return (
    <nav className="navigation" id="navigation" aria-label="Views">
      <ul>
        {views.map((view) => {
          const here = view.path === "/" ? path === "/" : path === view.path || path.startsWith(`${view.path}/`);
          return (
            <li key={view.path}>
              <Link href={linkTo(view.path)} aria-current={here ? "page" : undefined} onClick={onFollow}>
                <Icon name={view.icon} />
                {view.title}
              </Link>
            </li>
          );
        })}
        {session.role === "admin" ? (
          <li>
            <a href={address("/graphiql")}>
              <Icon name="graphiql" />
              GraphiQL
            </a>
          </li>
        ) : null}
      </ul>
    </nav>
  );
}

function Who() {
  const { session, leave } = useSession();
  return (
    <div className="who">
      <p className="small who-name" title={session.id}>
        <span className="soft">{session.role === "admin" ? "Administrator" : "User"}</span> {session.id}
      </p>
      {session.canSignOut ? (
        <button type="button" className="button" onClick={() => void leave()}>
          Sign out
        </button>
      ) : null}
    </div>
  );
}

function AdminRoutes() {
  return (
    <Switch>
      <Route path="/" component={Summary} />
      <Route path="/commands" component={Commands} />
      <Route path="/commands/:name">{({ name }) => <Keyed view={Command} name={name} />}</Route>
      <Route path="/errors" component={Errors} />
      <Route path="/errors/:type/:name">
        {({ type, name }) => <ErrorPattern key={`${type} ${name}`} errorType={decode(type)} fingerprint={decode(name)} />}
      </Route>
      <Route path="/users" component={Users} />
      <Route path="/users/:name">{({ name }) => <Keyed view={User} name={name} />}</Route>
      <Route path="/users/:name/conversations/:id">
        {({ name, id }) => <Conversation key={`${name} ${id}`} userId={decode(name)} id={decode(id)} />}
      </Route>
      <Route path="/intents" component={Intents} />
      <Route path="/streaming" component={Streaming} />
      <Route path="/connections" component={Connections} />
      <Route path="/live" component={Live} />
      <Route path="/health" component={Health} />
      <Route>
        <Redirect to="/" />
      </Route>
    </Switch>
  );
}

function UserRoutes() {
  return (
    <Switch>
      <Route path="/">
        <User name={null} />
      </Route>
      <Route path="/conversations/:id">
        {({ id }) => <Conversation key={id} userId={null} id={decode(id)} />}
      </Route>
      <Route path="/live" component={Live} />
      <Route>
        <Redirect to="/" />
      </Route>
    </Switch>
  );
}

/** A part of the address as it was before it was put there. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Keyed({ view: View, name }: { readonly view: ComponentType<{ name: string }>; readonly name: string }) {
  const decoded = decode(name);
  return <View key={decoded} name={decoded} />;
}
