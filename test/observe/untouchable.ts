/** What somebody's work may hold and nobody can look at: whatever is done with it throws, as with a proxy that was revoked. */
export function untouchable<T extends object>(of: T): T {
  const { proxy, revoke } = Proxy.revocable(of, {});
  revoke();
  return proxy;
}
