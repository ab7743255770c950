/** Where the page is mounted, without a trailing slash: the server writes it into the page. */
export const base: string =
  document.querySelector<HTMLMetaElement>('meta[name="copilot-analytics-base"]')?.content ?? "";

/** The address of something below the mount, for `fetch`. */
export function address(path: string): string {
  return `${base}${path}`;
}

/** The WebSocket's address of something below the mount. */
export function socketAddress(path: string): string {
  const url = new URL(address(path), location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
