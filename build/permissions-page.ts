// docs/reference/permissions.md: who is let in where, from the routes' own declarations and the roles. Separate from docs.ts, which writes
// the pages, because a test reads the page's rows again and holds the server to them. It must never decide anything itself.

import { declaredServer } from "../src/app/routes";
import { buildInfo } from "../src/config/build-info";
import { loadConfig } from "../src/config/config";
import { type Access, permissions, permissionsOfRole, roles } from "../src/domain/permission";
import { isAdmitted } from "../src/domain/principal";
import { systemClock } from "../src/foundation/clock";
import { silentLog } from "../src/foundation/log";
import { systemRandom } from "../src/foundation/random";
import type { Route } from "../src/http/routes";

export const accessColumns = ["guest", ...roles, "key"] as const;
export const yes = "yes";

/** All routes with default settings, in the order of the page. */
export function declaredRoutes(): readonly Route[] {
  const server = declaredServer({
    config: loadConfig({ flags: {}, environment: {}, file: null }),
    build: buildInfo,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const name = ({ pattern, method }: Route) => `${pattern} ${method}`;
  return [...server.routes.routes].sort((one, other) => (name(one) < name(other) ? -1 : 1));
}

/** A route's row: its name, then a cell for each column. */
export function accessRow(route: Route): readonly string[] {
  const access = route.permission;
  const guest = access === "public" ? yes : "401";
  const ofRoles = roles.map((role) => {
    const credential = { kind: "login_session", id: "", via: "token" } as const;
    const person = {
      userId: "",
      role,
      permissions: permissionsOfRole[role],
      credential,
      rateClass: "standard",
    } as const;
    return isAdmitted(person, access) ? yes : "403";
  });
  return [`${route.method} ${route.pattern.replace(/:([A-Za-z0-9_]+)/g, "{$1}")}`, guest, ...ofRoles, keyCell(access)];
}

/** What a key needs. */
function keyCell(access: Access): string {
  switch (access) {
    case "public":
    case "authenticated":
      return yes;
    case "person":
      return "403";
    case "local_or_admin":
    case "person_or_admin_key":
      return "`admin`";
    default:
      return `\`${access}\``;
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** The page's whole text. */
export function permissionsPage(): string {
  const scopes = permissions.map((permission) => [
    `\`${permission}\``,
    ...roles.map((role) => (permissionsOfRole[role].has(permission) ? yes : "")),
  ]);
  const recent = declaredRoutes().flatMap((route) =>
    route.needsRecentSignIn ? [`\`${route.method} ${route.pattern}\``] : [],
  );
  return `# Who may call what

Made from the routes' own declarations. A guest is somebody without credentials; viewer, trader, risk and admin are people signed in,
in that role; a key is let in with the scope named, as far as its owner's role and its maker have that scope too, or with any scope
where the cell says ${yes}. \`GET /metrics\` also
answers whoever asks from the machine itself, through no proxy. A route that lets somebody in still shows only what belongs to them: another user's id is 404.

These want a sign-in, or the password or a code shown again (\`POST /api/v1/auth/reauthenticate\`), within the last five minutes, else they answer 403
\`REAUTHENTICATION_NEEDED\`: ${recent.join(", ")}.

${table(["route", ...accessColumns], declaredRoutes().map(accessRow))}

What each role may do, and so the scopes that its keys can have:

${table(["scope", ...roles], scopes)}
`;
}
