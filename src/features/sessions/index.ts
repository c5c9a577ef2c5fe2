// The routes of sessions: refreshing one, leaving it, and where somebody is signed in. Cookies are set and cleared here, for a cookie
// is a matter of the protocol; what one opens is not known here.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import { CsrfToken, LoginSessionPage, LoginSessionPath, RefreshRequest, TokenPair } from "./model";
import type { Sessions } from "./service";

export interface SessionsRoutesDependencies {
  readonly sessions: Sessions;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  /** The session cookie that the request was let in by. Throws where it was let in by something else. */
  readonly sessionCookieOf: (request: Request) => string;
  /** The Set-Cookie header that makes a browser forget the session cookie. */
  readonly clearedCookie: string;
}

/** POST refresh and logout, GET and DELETE sessions, GET csrf, all under /api/v1/auth. */
export function sessionsRoutes(dependencies: SessionsRoutesDependencies) {
  const { sessions, principalOf, originOf, sessionCookieOf, clearedCookie } = dependencies;
  return new Elysia({ name: "sessions" })
    .post(
      "/api/v1/auth/refresh",
      ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        return sessions.refresh({ refreshToken: body.refresh_token, origin: originOf(request) });
      },
      {
        body: RefreshRequest,
        response: { 200: TokenPair },
        detail: {
          permission: "public",
          operationId: "refresh",
          summary: "Trade a refresh token for a new pair",
          description:
            "A refresh token works once. Shown again within ten seconds it answers 409 REFRESH_RACED and nothing dies; shown again later, the session ends.",
          tags: ["Sign-in"],
        },
      },
    )
    .post(
      "/api/v1/auth/logout",
      async ({ request, set }) => {
        set.status = 204;
        const principal = principalOf(request);
        if (principal.credential.kind === "login_session" && principal.credential.via === "cookie") {
          set.headers["set-cookie"] = clearedCookie;
        }
        await sessions.logout({ principal, origin: originOf(request) });
      },
      {
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          operationId: "logout",
          summary: "End this session",
          description: "Its access tokens, refresh tokens and cookie open nothing from now on.",
          tags: ["Sign-in"],
        },
      },
    )
    .get("/api/v1/auth/csrf", ({ request }) => ({ csrf_token: sessions.csrfTokenOf(sessionCookieOf(request)) }), {
      response: { 200: CsrfToken },
      detail: {
        permission: "person",
        operationId: "getCsrfToken",
        summary: "The CSRF token of this cookie session",
        description: "For a page that was loaded anew. Only a session by cookie has one.",
        tags: ["Sign-in"],
      },
    })
    .get("/api/v1/auth/sessions", ({ request }) => sessions.list(principalOf(request)), {
      response: { 200: LoginSessionPage },
      detail: {
        permission: "person",
        operationId: "listLoginSessions",
        summary: "Where you are signed in, newest first",
        tags: ["Sign-in"],
      },
    })
    .delete(
      "/api/v1/auth/sessions",
      async ({ request, set }) => {
        set.status = 204;
        await sessions.endOthers({ principal: principalOf(request), origin: originOf(request) });
      },
      {
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          operationId: "endOtherLoginSessions",
          summary: "Sign out everywhere else",
          tags: ["Sign-in"],
        },
      },
    )
    .delete(
      "/api/v1/auth/sessions/:id",
      async ({ request, params: { id }, set }) => {
        set.status = 204;
        await sessions.end({ principal: principalOf(request), id, origin: originOf(request) });
      },
      {
        params: LoginSessionPath,
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          operationId: "endLoginSession",
          summary: "End one of your sessions",
          tags: ["Sign-in"],
        },
      },
    );
}
