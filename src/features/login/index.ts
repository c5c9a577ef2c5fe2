// The routes of signing in. What is a matter of the protocol alone, a cookie's header and HTTP Basic, is put together here; whether
// anybody is let in is not known here.

import { Elysia, t } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import {
  LoginAnswer,
  LoginRequest,
  OauthToken,
  OauthTokenRequest,
  Proof,
  RecoveryCodes,
  SecondFactorRequest,
  SignedInAnswer,
  TotpConfirmation,
  TotpSetup,
} from "./model";
import type { Login, SignedIn } from "./service";

export interface LoginRoutesDependencies {
  readonly login: Login;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  /** The Set-Cookie header of a session's cookie. */
  readonly sessionCookie: (value: string, maxAgeSeconds: number) => string;
  /** Id and secret of an Authorization: Basic header, or null where there is none. */
  readonly basicCredentialsOf: (request: Request) => { id: string; secret: string } | null;
}

interface Set {
  readonly headers: Record<string, string | number>;
}

/** POST login, login/totp and totp/{setup,confirm,disable} under /api/v1/auth, POST /api/v1/oauth/token. */
export function loginRoutes(dependencies: LoginRoutesDependencies) {
  const { login, principalOf, originOf, sessionCookie, basicCredentialsOf } = dependencies;
  const answerOf = (outcome: SignedIn, set: Set) => {
    if (outcome.kind === "cookie") set.headers["set-cookie"] = sessionCookie(outcome.cookie, outcome.maxAgeSeconds);
    return outcome.answer;
  };
  return new Elysia({ name: "login" })
    .post(
      "/api/v1/auth/login",
      async ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        const outcome = await login.login({ ...body, origin: originOf(request) });
        return outcome.kind === "challenge" ? outcome.answer : answerOf(outcome, set);
      },
      {
        body: LoginRequest,
        response: { 200: LoginAnswer },
        detail: {
          permission: "public",
          operationId: "login",
          summary: "Sign in",
          description:
            "Answers tokens; with cookie: true a cookie and a CSRF token; where the user has a second factor, an mfa_token for login/totp.",
          tags: ["Sign-in"],
        },
      },
    )
    .post(
      "/api/v1/auth/login/totp",
      async ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        return answerOf(await login.secondFactor({ ...body, origin: originOf(request) }), set);
      },
      {
        body: SecondFactorRequest,
        response: { 200: SignedInAnswer },
        detail: {
          permission: "public",
          operationId: "loginTotp",
          summary: "Sign in: the second factor",
          tags: ["Sign-in"],
        },
      },
    )
    .post(
      "/api/v1/auth/reauthenticate",
      async ({ request, body, set }) => {
        set.status = 204;
        await login.reauthenticate({ principal: principalOf(request), proof: body, origin: originOf(request) });
      },
      {
        body: Proof,
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          operationId: "reauthenticate",
          summary: "Show again that it is you",
          description:
            "With the password, or a code where there is a second factor. For five minutes this session may then do what asks for a recent sign-in.",
          tags: ["Sign-in"],
        },
      },
    )
    .post("/api/v1/auth/totp/setup", ({ request }) => login.setUpTotp(principalOf(request)), {
      response: { 200: TotpSetup },
      detail: {
        permission: "person",
        recentSignIn: true,
        operationId: "setUpTotp",
        summary: "Begin a second factor",
        description: "It asks for nothing until it is confirmed; beginning again gives another secret.",
        tags: ["Sign-in"],
      },
    })
    .post(
      "/api/v1/auth/totp/confirm",
      ({ request, body: { code } }) =>
        login.confirmTotp({ principal: principalOf(request), code, origin: originOf(request) }),
      {
        body: TotpConfirmation,
        response: { 200: RecoveryCodes },
        detail: {
          permission: "person",
          operationId: "confirmTotp",
          summary: "Turn the second factor on",
          tags: ["Sign-in"],
        },
      },
    )
    .post(
      "/api/v1/auth/totp/disable",
      async ({ request, body, set }) => {
        set.status = 204;
        await login.disableTotp({ principal: principalOf(request), proof: body, origin: originOf(request) });
      },
      {
        body: Proof,
        response: { 204: t.Void() },
        detail: {
          permission: "person",
          operationId: "disableTotp",
          summary: "Turn the second factor off",
          tags: ["Sign-in"],
        },
      },
    )
    .post(
      "/api/v1/oauth/token",
      ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        const origin = originOf(request);
        const basic = basicCredentialsOf(request);
        return login.oauthToken({ body, basic, peerAddress: origin.ipAddress ?? "", origin });
      },
      {
        body: OauthTokenRequest,
        response: { 200: OauthToken },
        detail: {
          permission: "public",
          operationId: "oauthToken",
          summary: "An access token for an API key (OAuth 2.0 client credentials)",
          description:
            "The key's id is the client_id, its secret the client_secret, in the body or in HTTP Basic. The token dies with the key. In a problem, error and detail are the code of RFC 6749 section 5.2.",
          tags: ["Sign-in"],
          form: true,
        },
      },
    );
}
