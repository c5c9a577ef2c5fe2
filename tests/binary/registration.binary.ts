// Registering with the executable, seen from outside: mails over a real SMTP conversation with STARTTLS, a mail server that is away and
// comes back, and mails as files where there is none.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { Installation, readJson, type Serving } from "../harness/executable";
import { type MailServer, plainMail, startMailServer, subjectOfMail, tokenInMail } from "../harness/mail-server";
import { until } from "../harness/storage";

const ada = { email: "ada@example.org", password: "seven-green-boats" };

const installations: Installation[] = [];
const servers: MailServer[] = [];
const install = () => {
  const installation = new Installation();
  installations.push(installation);
  return installation;
};
const serveMail = async (options: Parameters<typeof startMailServer>[0] = {}) => {
  const server = await startMailServer(options);
  servers.push(server);
  return server;
};
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => {
  for (const installation of installations) installation.remove();
});

async function post(serving: Serving, path: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${serving.url}/api/v1/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await readJson(Promise.resolve(response)) };
}

async function smtpOf(serving: Serving): Promise<string> {
  const { checks } = await readJson(fetch(`${serving.url}/readiness`));
  return checks.find(({ component }: { component: string }) => component === "smtp")?.status ?? "absent";
}

describe("the executable with a mail server", () => {
  test("S1.01 S1.02 S1.09 registers, mails over STARTTLS, confirms, forgets and resets", async () => {
    const credentials = { user: "desk", password: "s3cret@/:" };
    const mail = await serveMail({ credentials });
    const serving = await install().serve({
      environment: {
        BSOPT_SMTP_URL: `smtp://desk:${encodeURIComponent(credentials.password)}@127.0.0.1:${mail.port}`,
        BSOPT_MAIL_FROM: "Trading desk <desk@bsopt.example>",
        BSOPT_PUBLIC_URL: "https://bsopt.example/",
      },
    });
    expect(await smtpOf(serving)).toBe("ok");
    expect(await post(serving, "register", ada)).toEqual({ status: 202, body: { status: "verification_sent" } });
    await until("the mail has come", () => mail.mails.length === 1);
    const [verification] = mail.mails as [MailServer["mails"][number]];
    expect(verification).toMatchObject({
      from: "desk@bsopt.example",
      to: [ada.email],
      isEncrypted: true,
      user: "desk",
    });
    expect(plainMail(verification.text)).toContain("https://bsopt.example/account/verify-email#");
    const token = tokenInMail(verification.text);
    const verified = await post(serving, "verify-email", { token });
    expect(verified).toMatchObject({ status: 200, body: { user: { email: ada.email, role: "viewer" } } });
    expect(await post(serving, "verify-email", { token })).toMatchObject({
      status: 422,
      body: { code: "TOKEN_INVALID" },
    });

    expect(await post(serving, "password/forgot", { email: ada.email })).toMatchObject({ status: 202 });
    await until("the second mail has come", () => mail.mails.length === 2);
    const reset = { token: tokenInMail(mail.mails[1]!.text), password: "eight-blue-trains" };
    expect(await post(serving, "password/reset", reset)).toMatchObject({ status: 200 });
    await until("the third mail has come", () => mail.mails.length === 3);
    expect(mail.mails.map(({ text }) => subjectOfMail(text))).toEqual([
      "Confirm your address",
      "Set a new password",
      "Your password was changed",
    ]);
    expect(serving.said()).not.toContain(token);
    expect(serving.said()).not.toContain(credentials.password);
    expect(serving.said()).not.toContain(ada.email);
    expect(serving.said()).not.toContain(ada.password);
    await serving.stop();
  }, 60_000);

  test("S1.02 keeps mails while the server is away, says so, and sends them once it is back", async () => {
    const first = await startMailServer();
    await first.close();
    const serving = await install().serve({
      environment: { BSOPT_SMTP_URL: `smtp://127.0.0.1:${first.port}` },
    });
    expect(await smtpOf(serving)).toBe("degraded");
    expect((await fetch(`${serving.url}/readiness`)).status).toBe(200);
    expect(await post(serving, "register", ada)).toMatchObject({ status: 202 });
    await until("a first attempt has failed", () => serving.said().includes("it will be tried again"));
    const back = await serveMail({ port: first.port });
    await until("the mail has come", () => back.mails.length === 1);
    expect(await post(serving, "verify-email", { token: tokenInMail(back.mails[0]!.text) })).toMatchObject({
      status: 200,
    });
    await serving.stop();
  }, 60_000);
});

describe("the executable without a mail server", () => {
  test("S1.01 S1.02 writes mails to a folder for its owner's eyes, names the folder and no token", async () => {
    const installation = install();
    const serving = await installation.serve();
    expect(await smtpOf(serving)).toBe("absent");
    expect(serving.said()).toContain("bsopt-data/mail");
    expect(await post(serving, "register", ada)).toMatchObject({ status: 202 });
    const folder = installation.path("bsopt-data", "mail");
    await until(
      "the mail is there",
      () => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".eml")),
    );
    const [name = ""] = readdirSync(folder);
    const path = `${folder}/${name}`;
    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    const text = readFileSync(path, "utf8");
    expect(plainMail(text)).toContain(`${serving.url}/account/verify-email#`);
    expect(serving.said()).not.toContain(tokenInMail(text));
    expect(await post(serving, "verify-email", { token: tokenInMail(text) })).toMatchObject({ status: 200 });
    await serving.stop();
  }, 60_000);

  test("S1.01 is closed to strangers where it listens beyond this machine, unless told otherwise", async () => {
    const serving = await install().serve({ environment: { BSOPT_HOST: "0.0.0.0" } });
    expect(await post(serving, "register", ada)).toMatchObject({ status: 403, body: { code: "REGISTRATION_CLOSED" } });
    await serving.stop();
  });

  test("S1.02 the pages behind the links open by anybody's hand, run their own script alone and name no other host", async () => {
    const serving = await install().serve();
    for (const path of ["/account/verify-email", "/account/reset-password"]) {
      const response = await fetch(serving.url + path);
      expect([path, response.status, response.headers.get("cache-control")]).toEqual([path, 200, "no-store"]);
      const [html, policy] = [await response.text(), response.headers.get("content-security-policy") ?? ""];
      expect(policy).toStartWith("default-src 'none'; script-src 'sha256-");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(html).not.toMatch(/https?:\/\//);
      const script = /<script>([\s\S]*?)<\/script>/.exec(html)![1]!;
      const hash = new Bun.CryptoHasher("sha256").update(script).digest("base64");
      expect(policy).toContain(`'sha256-${hash}'`);
    }
    await serving.stop();
  });
});
