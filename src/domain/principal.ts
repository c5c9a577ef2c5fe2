// Who a request acts for, after authentication. Pure data, frozen for the request's life.

import { unreachable } from "../foundation/assert";
import type { EpochMicroseconds } from "../foundation/clock";
import type { Access, Permission, Role } from "./permission";

export type RateClass = "standard" | "bot" | "unlimited";

export const rateClasses: readonly RateClass[] = ["standard", "bot", "unlimited"];

export interface Principal {
  /** The user everything this request makes belongs to. */
  readonly userId: string;
  readonly role: Role;
  /** What this credential may do: never wider than the user's role. */
  readonly permissions: ReadonlySet<Permission>;
  readonly credential: Credential;
  readonly rateClass: RateClass;
  /** When what was shown ends by itself, where it says so: an access token. */
  readonly expiresAt?: EpochMicroseconds;
}

/** What a caller has proven to hold. */
export type Credential =
  /** A key, or (`tokenId`) a short-lived token that was given for it; `id` is the key's. */
  | { readonly kind: "api_key"; readonly id: string; readonly tokenId?: string }
  /** A login session's access token or cookie; `id` is the session's. */
  | { readonly kind: "login_session"; readonly id: string; readonly via: "token" | "cookie" };

/** Whether a route that asks for this lets the principal in. */
export function isAdmitted({ permissions, credential }: Principal, access: Access): boolean {
  switch (access) {
    case "public":
    case "authenticated":
      return true;
    case "local_or_admin":
      return permissions.has("admin");
    case "person":
      return credential.kind === "login_session";
    case "person_or_admin_key":
      switch (credential.kind) {
        case "login_session":
          return true;
        case "api_key":
          return permissions.has("admin");
        default:
          return unreachable(credential);
      }
    default:
      return permissions.has(access);
  }
}

/** What a request shows to prove who it is, taken from its headers before any body is read. */
export interface Credentials {
  /** X-API-Key, or Authorization: Bearer with a value starting bso_. */
  readonly apiKey?: string;
  /** Authorization: Bearer with anything else. */
  readonly bearerToken?: string;
  /** The session cookie, where no header shows anything. */
  readonly sessionCookie?: string;
  /** A single-use ticket, which a socket's handshake may show instead. */
  readonly ticket?: string;
  /** What shows that a request by cookie was meant: there exactly where it is by cookie and may change something. */
  readonly intent?: RequestIntent;
  /** The socket's peer, for keys tied to addresses. */
  readonly peerAddress: string;
}

/** Of an act that no request asked for: the command line's, or the process's own. */
export const noOrigin: RequestOrigin = Object.freeze({ ipAddress: null, userAgent: null });

/** A browser sends cookies by itself, so a page elsewhere could make it act; these two it could not bring along. */
export interface RequestIntent {
  /** Whether the browser says that a page of this very host asked. */
  readonly isSameOrigin: boolean;
  /** X-CSRF-Token, or null. */
  readonly csrfToken: string | null;
}

/** Turns credentials into a principal, or throws reason `unauthenticated`. Synchronous where a cache can answer. */
export interface Authenticator {
  authenticate(credentials: Credentials): Principal | Promise<Principal>;
  /**
   * Throws reason `forbidden` where somebody signed in has not shown the password or a code lately. Left out, nobody has: routes that ask for it
   * let nobody in.
   */
  requireRecentSignIn?(principal: Principal): Promise<void>;
  /**
   * What a principal admitted earlier, from that address, may do now: at most what it could then. Throws reason `unauthenticated` where what
   * it showed holds no more. Synchronous where a cache can answer. Left out, nobody can tell: whoever is in stays.
   */
  stillHolds?(principal: Principal, peerAddress: string): ReadonlySet<Permission> | Promise<ReadonlySet<Permission>>;
}

/** Where a request came from, as audit lines keep it. */
export interface RequestOrigin {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}
