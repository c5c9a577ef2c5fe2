// Sends mails to a server over SMTP (RFC 5321), by nodemailer. Separate from what is sent and when it is tried again. A connection a
// mail: mails are few, and a connection kept would have to be watched. Every wait has an end, and an aborted send cuts its
// connection. It must never log: a server's words may repeat an address.

import { isIP } from "node:net";
import type { SMTPTransportOptions } from "nodemailer";
import type { Names } from "../names";
import { type Mail, type Mailer, messageIdOf, refused, requireSendable, type Sender, unavailable } from "./mail";
import type { SmtpServer } from "./server-address";

export interface ServerMailerOptions {
  readonly server: SmtpServer;
  readonly sender: Sender;
  /** Asked before connecting by name; absent: the system is asked straight away. */
  readonly names?: Names | undefined;
  /** Certificates trusted beside the machine's own, as PEM. */
  readonly trustedCertificates?: string;
  /** How long connecting with its greeting, and a silence afterwards, may take. */
  readonly timeoutMilliseconds?: number;
}

const timeoutMillisecondsDefault = 15_000;
const checkMillisecondsMax = 1_800;

/** A mailer over that server; nothing is connected before the first mail. */
export function createServerMailer(options: ServerMailerOptions): Mailer {
  const { server, sender, timeoutMilliseconds = timeoutMillisecondsDefault } = options;
  const { host, port, encryption, credentials } = server;

  const connection = (milliseconds: number): SMTPTransportOptions => ({
    host,
    port,
    secure: encryption === "implicit",
    requireTLS: encryption === "required",
    ignoreTLS: encryption === "off",
    opportunisticTLS: encryption === "local",
    tls: {
      minVersion: "TLSv1.2",
      rejectUnauthorized: encryption !== "local",
      // A certificate names hosts; for a bare address there is none to announce.
      ...(isIP(host) === 0 && { servername: host }),
      ...(options.trustedCertificates !== undefined && { ca: options.trustedCertificates }),
    },
    connectionTimeout: milliseconds,
    greetingTimeout: milliseconds,
    socketTimeout: milliseconds,
    dnsTimeout: milliseconds,
    // A server that takes no password although one is configured is not the server that is meant.
    ...(credentials && { auth: { user: credentials.user, pass: credentials.password }, forceAuth: true }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  // Loaded for the first mail: with its transports it would cost every start a tenth of a second.
  const transport = async (milliseconds: number) => {
    await options.names?.answered(host);
    const { createTransport } = await import("nodemailer");
    return createTransport(connection(milliseconds));
  };

  return {
    async send(mail, signal) {
      requireSendable(mail);
      const transporter = await transport(timeoutMilliseconds);
      try {
        await transporter.sendMail({ ...contentOf(mail, sender), ...(signal && { signal }) });
      } catch (error) {
        throw told(error);
      } finally {
        transporter.close();
      }
    },
    async check() {
      const transporter = await transport(checkMillisecondsMax);
      try {
        await transporter.verify();
      } catch (error) {
        throw told(error);
      } finally {
        transporter.close();
      }
    },
  };
}

/** What nodemailer is given of a mail: objects for addresses, so that no text is read as a list of them. */
export function contentOf(mail: Mail, sender: Sender) {
  return {
    from: { name: sender.name, address: sender.address },
    to: { name: "", address: mail.to },
    envelope: { from: sender.address, to: [mail.to] },
    messageId: messageIdOf(mail, sender),
    subject: mail.subject,
    text: mail.text,
    // RFC 3834: no vacation notice answers a machine.
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

/** A failure without the server's words, which may repeat an address or a password. */
function told(error: unknown): Error {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const reply = typeof responseCode === "number" ? responseCode : 0;
  // 5xx is for good (RFC 5321 section 4.2.1), where it is about the mail. A password that is wrong can be set right.
  const isAboutMail = code === "EENVELOPE" || code === "EMESSAGE";
  if (isAboutMail && reply >= 500 && reply < 600)
    return refused(`The mail server refused the mail for good (${reply}).`);
  return unavailable(`The mail server did not take the mail (${reply || wordOf(code)}).`);
}

function wordOf(code: unknown): string {
  return typeof code === "string" && /^[A-Z_]{1,20}$/.test(code) ? code : "no reply";
}
