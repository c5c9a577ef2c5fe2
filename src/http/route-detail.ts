// What a route declares about itself. Elysia keeps `detail` for documents; this widens its type so that a
// feature can state permission, limits and idempotency there, and the compiler checks the words. It is separate
// because it is only types: it must never hold a value.

import type { Permission } from "../domain/permission";

declare module "elysia/types" {
  interface DocumentDecoration {
    /** Who may call. `public` needs no credentials. A route without it stops the start. */
    permission?: Permission | "public";
    /** Largest body in bytes; absent means the server's default for a body. */
    bodyBytesMax?: number;
    /** The route makes something: it honours the Idempotency-Key header. */
    idempotent?: true;
  }
}
