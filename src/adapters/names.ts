// Whether whoever resolves host names answers, asked before anything connects by name. The runtime resolves names in the few threads that
// also sign and verify tokens and unpack bodies; a resolver that says nothing would hold each of them for ten seconds a name, and sign-ins
// with them. This asks over sockets of the event loop instead, which cost no thread. What the answer is does not matter: who answers here
// answers the runtime too.

import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { dns } from "bun";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";

export interface Names {
  /** Resolves where the host may be connected to by its name. Throws `unavailable` NAMES_UNANSWERED after a second's silence. */
  answered(host: string): Promise<void>;
}

/** Asks about a host; resolves or rejects with what came of it. */
export type NameQuestion = (host: string) => Promise<unknown>;

export interface NamesOptions {
  readonly clock: Clock;
  /** The system's two ways unless a test brings others. */
  readonly questions?: readonly NameQuestion[];
}

const silenceMillisecondsMax = 1_000;
/** An answer is believed for so long: connections that are being made anew all the time need not ask each time. */
const believedMilliseconds = 10_000;
const hostsMax = 100;

/** Errors that tell of the way to the resolver and not of the name. */
const silences: ReadonlySet<string> = new Set(
  ["ETIMEOUT", "ECONNREFUSED", "ECANCELLED"].flatMap((code) => [code, `DNS_${code}`]),
);

const systemQuestions: readonly NameQuestion[] = [
  // Knows the hosts file, and the resolvers that were configured at the start. Node's own lookup would take a thread.
  (host) => dns.lookup(host, { backend: "c-ares" }),
  // Reads the configuration anew, for the network may have changed.
  (host) => new Resolver().resolve4(host),
];

export function createNames({ clock, questions = systemQuestions }: NamesOptions): Names {
  const believedUntil = new Map<string, number>();
  const underWay = new Map<string, Promise<void>>();

  async function ask(host: string): Promise<void> {
    const timeUp = new AbortController();
    const answers = questions.map((question) =>
      question(host).catch((error: { code?: string }) => {
        if (silences.has(error.code ?? "")) throw error;
      }),
    );
    try {
      await Promise.race([
        Promise.any(answers),
        clock.sleep(silenceMillisecondsMax, timeUp.signal).then(() => {
          throw new Error("no answer in time");
        }),
      ]);
    } catch (error) {
      throw new BsoptError({
        reason: "unavailable",
        code: "NAMES_UNANSWERED",
        detail: "Host names are not resolved at the moment.",
        hint: "Look at /etc/resolv.conf and at the resolvers it names.",
        cause: error,
      });
    } finally {
      timeUp.abort();
    }
    believedUntil.set(host, clock.monotonicMilliseconds() + believedMilliseconds);
    if (believedUntil.size > hostsMax) believedUntil.delete(believedUntil.keys().next().value!);
  }

  return {
    async answered(host) {
      if (isIP(host.replace(/^\[|\]$/g, "")) !== 0) return;
      if ((believedUntil.get(host) ?? Number.NEGATIVE_INFINITY) > clock.monotonicMilliseconds()) return;
      const asking =
        underWay.get(host) ??
        ask(host).finally(() => {
          underWay.delete(host);
        });
      underWay.set(host, asking);
      await asking;
    },
  };
}
