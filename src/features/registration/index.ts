// Registration's routes: declarations and one call each. What a route needs (permission, limits) is stated in its detail and enforced
// by http before the body is read; nothing here guards anything.

import { createHash } from "node:crypto";
import { Elysia } from "elysia";
import type { Principal, RequestOrigin } from "../../domain/principal";
import type { IdempotencyTicket } from "../../storage/idempotency";
import {
  EmailRequest,
  PasswordChangeRequest,
  PasswordResetRequest,
  PasswordSet,
  RegisterRequest,
  ResetSent,
  UserAnswer,
  UserRequest,
  VerificationSent,
  VerifyEmailRequest,
} from "./model";
import { passwordPagePath, verifyPagePath } from "./rules";
import type { Registration } from "./service";

export interface RegistrationRoutesDependencies {
  readonly registration: Registration;
  readonly principalOf: (request: Request) => Principal;
  readonly originOf: (request: Request) => RequestOrigin;
  readonly idempotencyOf: (request: Request) => IdempotencyTicket | null;
}

const tags = ["Identity"];

/**
 * The page behind a mail's link. Opening it does nothing, because mail programs open links by themselves; the button does. The token
 * comes behind the sign # and leaves the address at once, so that it stands in no log and no history.
 */
function page(options: { title: string; button: string; asksPassword: boolean; path: string; done: string }) {
  const style =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.25rem 0 1rem}";
  const script = `const token=location.hash.slice(1);history.replaceState(null,"",location.pathname);
const form=document.querySelector("form"),out=document.querySelector("output"),field=document.querySelector("input");
const say=(text)=>{out.textContent=text};
if(!token){form.hidden=true;say("This page is opened by the link in a mail.")}
form.addEventListener("submit",async(event)=>{event.preventDefault();say("");
const body=field?{token,password:field.value}:{token};
try{const answer=await fetch(${JSON.stringify(`..${options.path}`)},{method:"POST",headers:{"content-type":"application/json"},body:JSON.stringify(body)});
if(answer.ok){form.hidden=true;say(${JSON.stringify(options.done)})}else{say((await answer.json()).detail)}}catch{say("The server cannot be reached; try again.")}});`;
  const field = options.asksPassword
    ? '<label>New password<input type="password" autocomplete="new-password" required minlength="8"></label>'
    : "";
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${options.title}</title><style>${style}</style></head><body><h1>${options.title}</h1><form>${field}<button>${options.button}</button></form><p><output role="status"></output></p><script>${script}</script></body></html>\n`;
  const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
  return () => new Response(html, { headers });
}

/** POST /api/v1/auth/register, verify-email, resend-verification, password, password/forgot, password/reset; POST /api/v1/admin/users. */
export function registrationRoutes(dependencies: RegistrationRoutesDependencies) {
  const { registration, principalOf, originOf, idempotencyOf } = dependencies;
  return new Elysia({ name: "registration" })
    .get(
      verifyPagePath,
      page({
        title: "Confirm your address",
        button: "Confirm",
        asksPassword: false,
        path: "/api/v1/auth/verify-email",
        done: "Your address is confirmed. You can sign in now.",
      }),
      {
        detail: {
          permission: "public",
          hide: true,
          operationId: "verifyEmailPage",
          summary: "What the link in a confirming mail opens",
          tags,
        },
      },
    )
    .get(
      passwordPagePath,
      page({
        title: "Set your password",
        button: "Set the password",
        asksPassword: true,
        path: "/api/v1/auth/password/reset",
        done: "Your password is set. You can sign in now.",
      }),
      {
        detail: {
          permission: "public",
          hide: true,
          operationId: "resetPasswordPage",
          summary: "What the link in a mail about a password opens",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/register",
      async ({ request, body }) => {
        await registration.register({ ...body, origin: originOf(request) });
        return { status: "verification_sent" as const };
      },
      {
        body: RegisterRequest,
        response: { 202: VerificationSent },
        detail: {
          permission: "public",
          operationId: "register",
          summary: "Register with an address and a password",
          description:
            "The answer is the same whether or not the address is known: what there is to say goes to the address by mail. A new user is a viewer and signs in once the address is confirmed.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/verify-email",
      async ({ request, body }) => ({ user: await registration.verifyEmail({ ...body, origin: originOf(request) }) }),
      {
        body: VerifyEmailRequest,
        response: { 200: UserAnswer },
        detail: {
          permission: "public",
          operationId: "verifyEmail",
          summary: "Confirm an address with the token out of the mail",
          description:
            "A token works once, within 24 hours, until another is sent. A password sent along is the one that counts from then on. Without one the registered password counts, unless the address was registered again with another: then the answer is 422 PASSWORD_NEEDED, and the token still works.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/resend-verification",
      async ({ body: { email } }) => {
        await registration.requestMail({ email, kind: "verify_email" });
        return { status: "verification_sent" as const };
      },
      {
        body: EmailRequest,
        response: { 202: VerificationSent },
        detail: {
          permission: "public",
          operationId: "resendVerification",
          summary: "Ask for the confirming mail again",
          description: "The answer is always the same. One mail a minute and ten a day go to an address.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/password",
      async ({ request, body }) => {
        await registration.changePassword({
          userId: principalOf(request).userId,
          currentPassword: body.current_password,
          newPassword: body.new_password,
          origin: originOf(request),
        });
        return { status: "password_set" as const };
      },
      {
        body: PasswordChangeRequest,
        response: { 200: PasswordSet },
        detail: {
          permission: "person",
          operationId: "changePassword",
          summary: "Change your password",
          description: "Every session ends, the present one too: sign in again with the new password.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/password/forgot",
      async ({ body: { email } }) => {
        await registration.requestMail({ email, kind: "reset_password" });
        return { status: "reset_sent" as const };
      },
      {
        body: EmailRequest,
        response: { 202: ResetSent },
        detail: {
          permission: "public",
          operationId: "forgotPassword",
          summary: "Ask for a mail to set a new password",
          description: "The answer is always the same. One mail a minute and ten a day go to an address.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/auth/password/reset",
      async ({ request, body: { token, password } }) => {
        await registration.resetPassword({ token, password, origin: originOf(request) });
        return { status: "password_set" as const };
      },
      {
        body: PasswordResetRequest,
        response: { 200: PasswordSet },
        detail: {
          permission: "public",
          operationId: "resetPassword",
          summary: "Set a password with the token out of the mail",
          description: "It also confirms the address, and ends every session. A token works once, within its time.",
          tags,
        },
      },
    )
    .post(
      "/api/v1/admin/users",
      ({ request, body }) =>
        registration.createUser({
          ...body,
          actorId: principalOf(request).userId,
          origin: originOf(request),
          idempotency: idempotencyOf(request),
        }),
      {
        body: UserRequest,
        response: { 201: UserAnswer },
        detail: {
          permission: "admin",
          operationId: "createUser",
          summary: "Make a user, who is invited by mail to set a password",
          tags,
          idempotent: true,
        },
      },
    );
}
