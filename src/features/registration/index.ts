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

/** Colours are the system's own, light or dark, so that the pages look like the machine they are read on. */
const pageStyle = `:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6577;--paper:#f4f6f9;--card:#fff;--line:#d3d9e3;--edge:#7c8798;--accent:#1d5fd1;--on-accent:#fff;--bad:#b3261e;--good:#1a7a4c}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#a3adbd;--paper:#12161d;--card:#1b212b;--line:#3a4353;--edge:#8390a5;--accent:#8ab4ff;--on-accent:#0d1a30;--bad:#ffb4ab;--good:#7fd6a6}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:1.5rem 1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:25rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
p{margin:0 0 1.25rem}
.name{margin:0 0 1.5rem;color:var(--soft);font-size:.875rem;letter-spacing:.04em}
h1{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25}
.lead,.hint{color:var(--soft)}
.hint{margin:.375rem 0 0;font-size:.875rem}
label{display:block;font-weight:600}
input[type=password],input[type=text],button{display:block;width:100%;margin-top:.375rem;padding:.6875rem .75rem;font:inherit;border-radius:.5rem}
input[type=password],input[type=text]{color:inherit;background:transparent;border:1px solid var(--edge)}
input[aria-invalid=true]{border-color:var(--bad)}
.show{display:flex;align-items:center;gap:.5rem;margin-top:.75rem;font-weight:400;font-size:.875rem}
.show input{width:1.125rem;height:1.125rem;margin:0;accent-color:var(--accent)}
button{margin-top:1.25rem;border:0;background:var(--accent);color:var(--on-accent);font-weight:600;cursor:pointer}
button:disabled{opacity:.6;cursor:progress}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
output{display:block}
output:not(:empty){margin-top:1.25rem;padding-left:.75rem;border-left:3px solid var(--line)}
output.bad{color:var(--bad);border-color:currentColor}
output.good{color:var(--good);border-color:currentColor}
[hidden]{display:none!important}
@media (max-width:30rem){body{justify-content:flex-start}main{padding:1.5rem 1.25rem}}`;

/**
 * The page behind a mail's link. Opening it does nothing, because mail programs open links by themselves; the button does. The token
 * comes behind the sign # and leaves the address at once, so that it stands in no log and no history.
 */
function page(options: {
  title: string;
  lead: string;
  field: string;
  autocomplete: "current-password" | "new-password";
  button: string;
  path: string;
  done: string;
}) {
  const { title, lead, field, autocomplete, button, path, done } = options;
  const script = `const token=location.hash.slice(1);history.replaceState(null,"",location.pathname);
const one=(name)=>document.querySelector(name),form=one("form"),field=one("#password"),show=one("#show"),button=one("button"),out=one("output");
const say=(text,kind)=>{out.className=kind;out.textContent=text};
const end=(text,kind)=>{form.hidden=true;one(".lead").hidden=true;say(text,kind)};
if(token)form.hidden=false;else end("This page is opened by the link in a mail. The link may have been cut: copy the whole of it.","");
show.addEventListener("change",()=>{field.type=show.checked?"text":"password"});
field.addEventListener("input",()=>{field.removeAttribute("aria-invalid")});
form.addEventListener("submit",async(event)=>{event.preventDefault();if(button.disabled)return;
button.disabled=true;say("One moment …","");
try{const answer=await fetch(${JSON.stringify(`..${path}`)},{method:"POST",credentials:"omit",headers:{"content-type":"application/json"},body:JSON.stringify({token,password:field.value})});
if(answer.ok){field.value="";end(${JSON.stringify(done)},"good");return}
const problem=await answer.json().catch(()=>({}));
if(problem.code==="TOKEN_INVALID"){end("This link does not work any more: it was used, a newer mail was sent, or its time is over. Ask for another mail.","bad");return}
say(problem.detail||"The server answered "+answer.status+"; try again.","bad");
if((problem.errors||[]).some((fault)=>fault.pointer==="/password")){field.setAttribute("aria-invalid","true");field.focus()}}
catch{say("The server cannot be reached; try again.","bad")}
finally{button.disabled=false}});`;
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title} · bsopt</title><style>${pageStyle}</style></head>
<body><main><p class="name">bsopt</p><h1>${title}</h1><p class="lead">${lead}</p>
<form hidden><label for="password">${field}</label><input id="password" type="password" autocomplete="${autocomplete}" aria-describedby="hint" required minlength="8" maxlength="1024"><p class="hint" id="hint">8 characters or more, of any kind.</p><label class="show"><input id="show" type="checkbox">Show what I type</label><button>${button}</button></form>
<output role="status"></output><noscript><p>This page needs JavaScript. Without it, send the token out of the mail and the password to the API, as the mail says.</p></noscript></main><script>${script}</script></body></html>
`;
  const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(pageStyle)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
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
        lead: "Type the password that you want to sign in with: the one you registered with, or another.",
        field: "Password",
        autocomplete: "current-password",
        button: "Confirm",
        path: "/api/v1/auth/verify-email",
        done: "Your address is confirmed. You can sign in now, with the password you typed.",
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
        lead: "It replaces the one before, and signs you out wherever you are signed in.",
        field: "New password",
        autocomplete: "new-password",
        button: "Set the password",
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
