/** Where single things have their views. */

export function commandPath(name: string): string {
  return `/commands/${encodeURIComponent(name)}`;
}

export function errorPath(pattern: { readonly errorType: string; readonly fingerprint: string }): string {
  return `/errors/${encodeURIComponent(pattern.errorType)}/${encodeURIComponent(pattern.fingerprint)}`;
}

export function userPath(id: string): string {
  return `/users/${encodeURIComponent(id)}`;
}

/** A conversation's, of a user; of whoever is signed in where no user is named. */
export function conversationPath(userId: string | null, id: string): string {
  const path = `/conversations/${encodeURIComponent(id)}`;
  return userId === null ? path : `${userPath(userId)}${path}`;
}
