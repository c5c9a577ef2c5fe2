// Mails as files, on a real disk: what is in one, who may read it, and what happens where it cannot be written.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFolderMailer } from "../../../../src/adapters/smtp/folder-mailer";
import { temporaryFolder } from "../../../harness/storage";

const mail = { id: "019a-1", to: "ada@example.org", subject: "Confirm your address", text: "token\nüber\n" };
const sender = { name: "bsopt", address: "bsopt@localhost" };
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("a mail to a folder", () => {
  test("S1.02 is one file that a mail program reads, for its owner alone", async () => {
    const folder = join(temporaryFolder(), "data", "mail");
    await createFolderMailer({ folder, sender }).send(mail);
    expect(readdirSync(folder)).toEqual(["019a-1.eml"]);
    expect([modeOf(folder), modeOf(join(folder, "019a-1.eml"))]).toEqual(["700", "600"]);
    const text = readFileSync(join(folder, "019a-1.eml"), "utf8");
    expect(text).toContain("To: ada@example.org\n");
    expect(text).toContain("Message-ID: <019a-1@localhost>\n");
    expect(text).toMatch(/\n\ntoken\n/);
  });

  test("written again is still one file", async () => {
    const folder = join(temporaryFolder(), "mail");
    const mailer = createFolderMailer({ folder, sender });
    await mailer.send(mail);
    await mailer.send(mail);
    expect(readdirSync(folder)).toEqual(["019a-1.eml"]);
  });

  test("closes a folder that stood open to others", async () => {
    const folder = join(temporaryFolder(), "mail");
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    await createFolderMailer({ folder, sender }).send(mail);
    expect(modeOf(folder)).toBe("700");
  });

  test("waits where the folder is full", async () => {
    const folder = join(temporaryFolder(), "mail");
    const mailer = createFolderMailer({ folder, sender, filesMax: 1 });
    await mailer.send(mail);
    expect(mailer.send({ ...mail, id: "019a-2" })).rejects.toMatchObject({ reason: "unavailable" });
  });

  test("waits where the folder cannot be made", async () => {
    const file = join(temporaryFolder(), "taken");
    writeFileSync(file, "");
    const mailer = createFolderMailer({ folder: join(file, "mail"), sender });
    expect(mailer.send(mail)).rejects.toMatchObject({ reason: "unavailable", code: "MAIL_UNAVAILABLE" });
  });

  test("with an id that names another file is refused", async () => {
    const folder = join(temporaryFolder(), "mail");
    const mailer = createFolderMailer({ folder, sender });
    expect(mailer.send({ ...mail, id: "../../x" })).rejects.toMatchObject({ reason: "invalid" });
    expect(existsSync(folder)).toBe(false);
  });
});
