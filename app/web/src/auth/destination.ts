/** The address of this application to go to after the sign-in. Addresses of other sites count as none. */
export function destination(then: string | null): string {
  return then && /^\/(?![/\\])/.test(then) ? then : "/inbox";
}
