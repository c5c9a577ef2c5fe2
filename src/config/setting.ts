// What a setting is. Separate from the tables of settings, which all are made of it.

import type { TSchema } from "@sinclair/typebox";

export interface Setting {
  /** Key in bsopt.toml; the environment's name is BSOPT_ and this in capitals, the flag is -- and this with dashes. */
  readonly key: string;
  /** What the value must be once read. Lists come as comma-separated text in the environment and in flags. */
  readonly schema: TSchema;
  /** Undefined: depends on other settings, as the description says. */
  readonly default: unknown;
  readonly description: string;
  /** How a wrong value is told: "must be …". */
  readonly rule: string;
  /** The value may hold a password: nothing prints or logs it. */
  readonly isSecret?: true;
}
