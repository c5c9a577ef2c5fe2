// Access tokens over a database in a temporary folder. The token plugin writes `iat` from the machine's own clock, so the test's
// clock and the machine's are moved together, and the machine's is let go after each file.

import { afterAll, setSystemTime } from "bun:test";
import type { KeyPair } from "../../src/adapters/jwt";
import { openTokens, type Tokens, type TokensOptions } from "../../src/features/tokens/service";
import { signingKeys } from "../../src/features/tokens/table";
import { silentLog } from "../../src/foundation/log";
import { seededRandom } from "../../src/foundation/random";
import { createSecretBox, type SecretBox } from "../../src/foundation/secret-box";
import { type IdentityFixture, openIdentity } from "./identity";

export interface TokensFixture extends IdentityFixture {
  readonly secretBox: SecretBox;
  readonly tokens: Tokens;
  /** Tokens as another process on the same database would have them. */
  anotherTokens(changes?: Partial<TokensOptions>): Promise<Tokens>;
  /** Moves the test's clock and the machine's. */
  advance(milliseconds: number): void;
  nowSeconds(): number;
  /** The pair of a key, opened. */
  keyPair(kid: string): Promise<KeyPair>;
}

export async function openTokensFixture(
  options: { seed?: bigint; startMicroseconds?: bigint } & Partial<TokensOptions> = {},
): Promise<TokensFixture> {
  const { seed = 7n, startMicroseconds, ...changes } = options;
  const base = await openIdentity({ seed, ...(startMicroseconds !== undefined && { startMicroseconds }) });
  const { clock, storage } = base;
  const moveMachine = () => void setSystemTime(new Date(Number(clock.nowMicroseconds() / 1000n)));
  moveMachine();
  const secretBox = createSecretBox(new Uint8Array(32).fill(3), seededRandom(seed + 2000n));
  let opened = 0n;
  const anotherTokens = (more: Partial<TokensOptions> = {}) => {
    opened += 1n;
    return openTokens({
      storage: base.watched,
      secretBox,
      audit: base.audit,
      clock,
      random: seededRandom(seed + 3000n + opened),
      log: silentLog,
      lifetimeSeconds: 900,
      keyDays: 30,
      ...changes,
      ...more,
    });
  };
  return {
    ...base,
    secretBox,
    tokens: await anotherTokens(),
    anotherTokens,
    advance(milliseconds) {
      clock.advance(milliseconds);
      moveMachine();
    },
    nowSeconds: () => Number(clock.nowMicroseconds() / 1_000_000n),
    async keyPair(kid) {
      const rows = await storage.read.select().from(signingKeys);
      const row = rows.find(({ id }) => id === kid)!;
      const privateJwk = JSON.parse(secretBox.open("signing-key", row.sealedPrivateKey));
      const { d: _, ...publicJwk } = privateJwk;
      return { privateJwk, publicJwk };
    },
  };
}

/** For the top of a test file that opens one. */
export function releaseMachineClock(): void {
  afterAll(() => void setSystemTime());
}
