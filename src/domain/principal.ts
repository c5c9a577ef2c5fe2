// Who a request acts for, after authentication. Pure data, frozen for the request's life.

import type { Permission, Role } from "./permission";

export type RateClass = "standard" | "bot" | "unlimited";

export const rateClasses: readonly RateClass[] = ["standard", "bot", "unlimited"];

export interface Principal {
  /** The user everything this request makes belongs to. */
  readonly userId: string;
  readonly role: Role;
  /** What this credential may do: never wider than the user's role. */
  readonly permissions: ReadonlySet<Permission>;
  readonly credential: { readonly kind: "api_key"; readonly id: string };
  readonly rateClass: RateClass;
}

/** What a request shows to prove who it is, taken from its headers before any body is read. */
export interface Credentials {
  /** X-API-Key, or Authorization: Bearer with a value starting bso_. */
  readonly apiKey?: string;
  /** Authorization: Bearer with anything else. */
  readonly bearerToken?: string;
  /** The socket's peer, for keys tied to addresses. */
  readonly peerAddress: string;
}

/** Turns credentials into a principal, or throws reason `unauthenticated`. Synchronous where a cache can answer. */
export interface Authenticator {
  authenticate(credentials: Credentials): Principal | Promise<Principal>;
}
