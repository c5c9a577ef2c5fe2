// A real mail server on a free port for the tests of sending: it keeps what it was given, and can be told to refuse, to hang up or to
// say nothing. Its key and certificate are made for these tests alone and open nothing.

import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsfKqtoQpUSU82jIp
HTrHZsL+1OEdHHwrRZSeZ80nWbGhRANCAATaTXQ/LJXVPKsiLL7HP6vlSZHmbkkz
HlMdexhD1jNskkfPKIrU0AYuTivthJ+Gj+5MdBz7OnhZboQr/Q0acH8i
-----END PRIVATE KEY-----`;

/** For localhost and 127.0.0.1, signed by itself, valid for a hundred years. */
export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBZDCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNpNdD8sldU8qyIs
vsc/q+VJkeZuSTMeUx17GEPWM2ySR88oitTQBi5OK+2En4aP7kx0HPs6eFluhCv9
DRpwfyKjSzBJMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAMBgNVHRMEBTAD
AQH/MB0GA1UdDgQWBBRexF1TERdtGxMAk4Z6X38DXJBGujAKBggqhkjOPQQDAgNI
ADBFAiB635aQznW8DSrcF9JFRaQHf6i5NmqM/hRDw6HrT/O+bwIhALa4A8NySw8u
AQK+q1nqgNlwvQt0asX7FxMk0XPpPIm6
-----END CERTIFICATE-----`;

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came. */
  readonly text: string;
  readonly isEncrypted: boolean;
  readonly user: string | null;
}

export interface MailServerOptions {
  /** Port to take; a free one unless given. */
  readonly port?: number;
  /** TLS from the first byte. */
  readonly isImplicit?: boolean;
  /** Whether STARTTLS is offered (default). */
  readonly offersStartTls?: boolean;
  /** The one user; without it nobody need sign in. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** Asked before a recipient is taken: an SMTP code to refuse with, or null. */
  readonly refuses?: (address: string) => number | null;
  /** Called with each mail before it is acknowledged. */
  readonly beforeAcknowledging?: (mail: ReceivedMail) => void | Promise<void>;
}

export interface MailServer {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** Connections since the start. */
  readonly connectionCount: number;
  close(): Promise<void>;
}

/** Starts it; the caller closes it. */
export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  let connectionCount = 0;
  const { credentials, refuses, beforeAcknowledging } = options;
  const settings: SMTPServerOptions = {
    secure: options.isImplicit ?? false,
    key: testKey,
    cert: testCertificate,
    logger: false,
    disableReverseLookup: true,
    disabledCommands: [
      ...((options.offersStartTls ?? true) ? [] : ["STARTTLS" as const]),
      ...(credentials ? [] : ["AUTH" as const]),
    ],
    allowInsecureAuth: true,
    authOptional: credentials === undefined,
    closeTimeout: 100,
    onConnect: (_session, done) => {
      connectionCount += 1;
      done();
    },
    onAuth: ({ username, password }, _session, done) => {
      if (username === credentials?.user && password === credentials?.password) return done(null, { user: username });
      done(Object.assign(new Error("wrong"), { responseCode: 535 }));
    },
    onRcptTo: ({ address }, _session, done) => {
      const code = refuses?.(address) ?? null;
      done(code === null ? undefined : Object.assign(new Error(`no ${address} here`), { responseCode: code }));
    },
    onData: async (stream, session, done) => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const { mailFrom, rcptTo } = session.envelope;
      const mail: ReceivedMail = {
        from: mailFrom === false ? "" : mailFrom.address,
        to: rcptTo.map(({ address }) => address),
        text: Buffer.concat(chunks).toString("utf8"),
        isEncrypted: session.secure,
        user: typeof session.user === "string" ? session.user : null,
      };
      mails.push(mail);
      await beforeAcknowledging?.(mail);
      done();
    },
  };
  const server = new SMTPServer(settings);
  // Broken connections are what some tests make.
  server.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.server.address();
  if (address === null || typeof address === "string") throw new Error("the mail server has no port");
  return {
    port: address.port,
    mails,
    get connectionCount() {
      return connectionCount;
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** A mail's text without quoted-printable: soft line ends and encoded characters undone. */
export function plainMail(mail: string): string {
  return mail
    .replace(/=\r?\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The token in a mail's link. Throws where there is none. */
export function tokenInMail(mail: string): string {
  const token = /#([A-Za-z0-9_-]{43})/.exec(plainMail(mail))?.[1];
  if (token === undefined) throw new Error(`no token in ${mail}`);
  return token;
}

/** The Subject header. */
export function subjectOfMail(mail: string): string {
  return /^Subject: (.*?)\r?$/m.exec(mail)?.[1] ?? "";
}
