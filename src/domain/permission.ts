// The closed list of permissions and what each role holds. Routes declare one of these; keys carry
// some of them; nothing else in the system grants access. Pure data.

export const permissions = [
  "pricing:read",
  "market:read",
  "market:write",
  "stream:read",
  "orders:write",
  "portfolio:read",
  "risk:read",
  "risk:write",
  "audit:read",
  "admin",
] as const;

export type Permission = (typeof permissions)[number];

export const roles = ["viewer", "trader", "risk", "admin"] as const;

export type Role = (typeof roles)[number];

const viewer: readonly Permission[] = ["pricing:read", "market:read", "stream:read", "portfolio:read"];

/** What a person in each role may do. A key's scopes always lie within its maker's. */
export const permissionsOfRole: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(viewer),
  trader: new Set<Permission>([...viewer, "market:write", "orders:write", "risk:read"]),
  risk: new Set<Permission>([...viewer, "risk:read", "risk:write", "audit:read"]),
  admin: new Set<Permission>(permissions),
};

/**
 * What a route may ask of its caller instead of one permission. `public`: nothing at all. `local_or_admin`: nothing of whoever asks
 * from this machine itself, of anybody else the permission `admin`. `authenticated`: any credential that is
 * honoured. `person`: somebody signed in, not a key or a token made from one. `person_or_admin_key`: the same, or a key with
 * `admin`.
 */
export const accessClasses = ["public", "local_or_admin", "authenticated", "person", "person_or_admin_key"] as const;

export type Access = Permission | (typeof accessClasses)[number];

export function isAccess(text: string): text is Access {
  return isPermission(text) || (accessClasses as readonly string[]).includes(text);
}

export function isPermission(text: string): text is Permission {
  return (permissions as readonly string[]).includes(text);
}
