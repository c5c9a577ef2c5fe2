// A mail server in a process of its own, so that a test can kill and freeze it: argument 1 is the port to take. Says `ready PORT`, then
// each mail's recipient as `mail ADDRESS`.

import { startMailServer } from "./mail-server";

const server = await startMailServer({
  port: Number(process.argv[2] ?? 0),
  beforeAcknowledging: (mail) => void process.stdout.write(`mail ${mail.to.join(",")}\n`),
});
process.stdout.write(`ready ${server.port}\n`);
