// Which hosts can only be the machine itself. Separate because settings and mail both ask, and must never differ.

/** Whether the host, a name or an address without brackets, can only be this machine. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
