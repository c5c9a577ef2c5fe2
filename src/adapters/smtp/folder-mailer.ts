// Writes mails as files where no mail server is configured, so that everything that needs a mail works on one machine. A file a mail,
// as a mail program opens it, readable by the owner alone: it holds a token. Separate from the server's way because nothing here is
// a network. It must never log what a mail says or whom it is for.

import { chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Mailer, requireSendable, type Sender, unavailable } from "./mail";
import { contentOf } from "./server-mailer";

export interface FolderMailerOptions {
  readonly folder: string;
  readonly sender: Sender;
  /** Files in the folder at most; past it mails wait in the outbox. */
  readonly filesMax?: number;
}

const filesMaxDefault = 10_000;

/** A mailer into that folder, which is made for the first mail. A mail written twice is one file. */
export function createFolderMailer({ folder, sender, filesMax = filesMaxDefault }: FolderMailerOptions): Mailer {
  return {
    async send(mail) {
      requireSendable(mail);
      const { createTransport } = await import("nodemailer");
      const composer = createTransport({ streamTransport: true, buffer: true, newline: "unix" });
      const { message } = await composer.sendMail({ ...contentOf(mail, sender), disableFileAccess: true });
      const path = join(folder, `${mail.id}.eml`);
      const draft = `${path}.draft`;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        // It may have been there with another mode.
        await chmod(folder, 0o700);
        if ((await readdir(folder)).length >= filesMax) throw unavailable("The mail folder is full.");
        await writeFile(draft, message as Buffer, { mode: 0o600 });
        await rename(draft, path);
      } catch (error) {
        // Half of it may hold a whole token.
        await rm(draft, { force: true }).catch(() => undefined);
        throw unavailable("The mail could not be written to the mail folder.", error);
      }
    },
    // What a folder cannot take, the first mail tells; the disk as a whole is the database's to watch.
    check: async () => undefined,
  };
}
