// Mails over SMTP against a real server on a free port: what arrives, over what, and what every way of failing is told as. No case
// waits for a time of its own; where the server is silent, the client's own short limit ends it.

import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import type { Mail, Mailer } from "../../../../src/adapters/smtp/mail";
import type { SmtpServer } from "../../../../src/adapters/smtp/server-address";
import { createServerMailer } from "../../../../src/adapters/smtp/server-mailer";
import { BsoptError } from "../../../../src/foundation/errors";
import {
  type MailServer,
  type MailServerOptions,
  startMailServer,
  testCertificate,
} from "../../../harness/mail-server";

const mail: Mail = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  to: "ada@example.org",
  subject: "Confirm your address",
  text: "One line\n\n.\nA line that begins with a dot and ends in ü\n",
};
const sender = { name: "Desk", address: "desk@bsopt.example" };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function server(options: MailServerOptions = {}): Promise<MailServer> {
  const started = await startMailServer(options);
  closers.push(() => started.close());
  return started;
}

function mailer(port: number, changes: Partial<SmtpServer> = {}, trust = true, timeoutMilliseconds = 10_000): Mailer {
  return createServerMailer({
    server: { host: "localhost", port, encryption: "required", credentials: null, ...changes },
    sender,
    timeoutMilliseconds,
    ...(trust && { trustedCertificates: testCertificate }),
  });
}

async function failureOf(act: Promise<unknown>): Promise<BsoptError> {
  const error = await act.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BsoptError);
  return error as BsoptError;
}

describe("a mail to a server", () => {
  test.each([
    { name: "STARTTLS, required", encryption: "required", options: {}, isEncrypted: true },
    { name: "TLS from the first byte", encryption: "implicit", options: { isImplicit: true }, isEncrypted: true },
    { name: "STARTTLS on this machine, where it is offered", encryption: "local", options: {}, isEncrypted: true },
    {
      name: "plain on this machine, where it is not",
      encryption: "local",
      options: { offersStartTls: false },
      isEncrypted: false,
    },
    { name: "plain, where the operator says so", encryption: "off", options: {}, isEncrypted: false },
  ] as const)("S1.02 arrives over $name", async ({ encryption, options, isEncrypted }) => {
    const received = await server(options);
    await mailer(received.port, { encryption }, encryption !== "local").send(mail);
    expect(received.mails).toHaveLength(1);
    const [{ from, to, text, ...rest }] = received.mails as [MailServer["mails"][number]];
    expect({ from, to, ...rest }).toEqual({
      from: "desk@bsopt.example",
      to: ["ada@example.org"],
      isEncrypted,
      user: null,
    });
    expect(text).toContain("From: Desk <desk@bsopt.example>\r\n");
    expect(text).toContain("To: ada@example.org\r\n");
    expect(text).toContain("Subject: Confirm your address\r\n");
    expect(text).toContain(`Message-ID: <${mail.id}@bsopt.example>\r\n`);
    expect(text).toContain("Auto-Submitted: auto-generated\r\n");
    expect(text).toContain("Content-Type: text/plain; charset=utf-8\r\n");
    const [, body = ""] = text.split("\r\n\r\n");
    expect(body).toContain("One line");
  });

  test("S1.02 arrives with the configured user signed in", async () => {
    const credentials = { user: "desk@x", password: "p:w/%" };
    const received = await server({ credentials });
    await mailer(received.port, { credentials }).send(mail);
    expect(received.mails.map(({ user, isEncrypted }) => ({ user, isEncrypted }))).toEqual([
      { user: "desk@x", isEncrypted: true },
    ]);
  });

  test("S1.02 sent twice has one Message-ID", async () => {
    const received = await server();
    await mailer(received.port).send(mail);
    await mailer(received.port).send(mail);
    const ids = received.mails.map(({ text }) => /^Message-ID: (.*)$/m.exec(text)?.[1]);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });
});

describe("a mail is kept for later", () => {
  test("where required STARTTLS is not offered: nothing goes out in clear", async () => {
    const received = await server({ offersStartTls: false });
    const error = await failureOf(mailer(received.port).send(mail));
    expect(error).toMatchObject({ reason: "unavailable", code: "MAIL_UNAVAILABLE" });
    expect(received.mails).toEqual([]);
  });

  test.each(["required", "implicit"] as const)(
    "where the certificate is nobody's that is trusted (%s)",
    async (encryption) => {
      const received = await server({ isImplicit: encryption === "implicit" });
      const error = await failureOf(mailer(received.port, { encryption }, false).send(mail));
      expect(error.reason).toBe("unavailable");
      expect(received.mails).toEqual([]);
    },
  );

  test("where the password is wrong, which the operator can set right", async () => {
    const received = await server({ credentials: { user: "desk", password: "right" } });
    const wrong = mailer(received.port, { credentials: { user: "desk", password: "wrong-secret" } });
    const error = await failureOf(wrong.send(mail));
    expect(error.reason).toBe("unavailable");
    expect(`${error.detail} ${String(error.cause ?? "")}`).not.toContain("wrong-secret");
  });

  test("where a user is configured and the server takes none", async () => {
    const received = await server();
    const error = await failureOf(
      mailer(received.port, { credentials: { user: "desk", password: "secret" } }).send(mail),
    );
    expect(error.reason).toBe("unavailable");
    expect(received.mails).toEqual([]);
  });

  test("where the recipient is refused for now", async () => {
    const received = await server({ refuses: () => 451 });
    expect((await failureOf(mailer(received.port).send(mail))).reason).toBe("unavailable");
  });

  test("where nobody listens", async () => {
    const gone = await startMailServer();
    await gone.close();
    expect((await failureOf(mailer(gone.port).send(mail))).reason).toBe("unavailable");
  });

  test.each([
    { name: "says nothing", act: () => undefined },
    { name: "hangs up at once", act: (socket: Socket) => socket.destroy() },
    {
      name: "hangs up after the greeting",
      act: (socket: Socket) => socket.write("220 x ESMTP\r\n", () => socket.destroy()),
    },
    { name: "greets and then says nothing", act: (socket: Socket) => socket.write("220 x ESMTP\r\n") },
    { name: "speaks another protocol", act: (socket: Socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") },
  ])("where the server $name", async ({ act }) => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      act(socket);
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    const error = await failureOf(mailer(port, { encryption: "local" }, true, 300).send(mail));
    expect(error).toMatchObject({ reason: "unavailable", code: "MAIL_UNAVAILABLE" });
  });

  test("where it is called off while the server keeps it waiting", async () => {
    const { promise: arrived, resolve: onArrived } = Promise.withResolvers<void>();
    const received = await server({
      beforeAcknowledging: () => {
        onArrived();
        return new Promise(() => undefined);
      },
    });
    const abort = new AbortController();
    const sending = failureOf(mailer(received.port).send(mail, abort.signal));
    await arrived;
    abort.abort();
    expect((await sending).reason).toBe("unavailable");
  });
});

describe("a mail is given up", () => {
  test("where the recipient is refused for good, and the fault names nobody", async () => {
    const received = await server({ refuses: () => 550 });
    const error = await failureOf(mailer(received.port).send(mail));
    expect(error).toMatchObject({ reason: "invalid", code: "MAIL_REFUSED" });
    expect(`${error.detail} ${String(error.cause ?? "")} ${error.stack}`).not.toContain("ada@");
  });

  test.each([
    { name: "a second header in the address", changes: { to: "ada@example.org\r\nBcc: eve@example.org" } },
    { name: "a second address", changes: { to: "ada@example.org, eve@example.org" } },
    { name: "a name around the address", changes: { to: "Ada <ada@example.org>" } },
    { name: "a comment", changes: { to: "ada(x)@example.org" } },
    { name: "no at-sign", changes: { to: "ada" } },
    { name: "two at-signs", changes: { to: "ada@eve@example.org" } },
    { name: "a null", changes: { to: "ada\0@example.org" } },
    { name: "an invisible character", changes: { to: "ada\u200b@example.org" } },
    { name: "a header in the subject", changes: { subject: "Hello\r\nBcc: eve@example.org" } },
    { name: "a header in the id", changes: { id: "x>\r\nBcc: eve@example.org" } },
    { name: "a text past the limit", changes: { text: "x".repeat(20_001) } },
  ])("S4.54 with $name, before anything is connected", async ({ changes }) => {
    const received = await server();
    const error = await failureOf(mailer(received.port).send({ ...mail, ...changes }));
    expect(error).toMatchObject({ reason: "invalid", code: "MAIL_REFUSED" });
    expect(received.connectionCount).toBe(0);
  });
});

describe("the check of a server", () => {
  test("passes where it answers and takes the password, and sends nothing", async () => {
    const credentials = { user: "desk", password: "right" };
    const received = await server({ credentials });
    await mailer(received.port, { credentials }).check();
    expect(received.mails).toEqual([]);
  });

  test("fails where nobody listens, and passes again once somebody does", async () => {
    const first = await startMailServer();
    await first.close();
    const checked = mailer(first.port);
    expect((await failureOf(checked.check())).code).toBe("MAIL_UNAVAILABLE");
    await server({ port: first.port });
    await checked.check();
  });
});
