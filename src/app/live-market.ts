// The live market as the process has it: what is listed, and what mode it is in. Separate from app.ts, which hands it what it needs and has the
// loops started and stopped.

import type { Config } from "../config/config";
import type { Calendars } from "../domain/business-calendar";
import { builtInCalendars } from "../domain/exchange-calendars";
import { marketHours } from "../domain/market-hours";
import type { Audit } from "../features/audit/service";
import { createInstruments, type Instruments } from "../features/instruments/service";
import type { Agent } from "../foundation/agent";
import type { Clock } from "../foundation/clock";
import type { Log } from "../foundation/log";
import type { Random } from "../foundation/random";
import type { Storage } from "../storage/storage";

export interface LiveMarket {
  /** What the routes stand on. */
  readonly services: { readonly instruments: Instruments };
  readonly agents: readonly Agent[];
  close(): Promise<void>;
}

export interface LiveMarketOptions {
  readonly config: Config;
  readonly storage: Storage;
  readonly audit: Audit;
  /** Those built in unless the user has more. */
  readonly calendars?: Calendars | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export function openLiveMarket(options: LiveMarketOptions): LiveMarket {
  const { config, storage, audit, clock, random, log, calendars = builtInCalendars() } = options;
  const hours = marketHours(calendars);
  const instruments = createInstruments({
    ...{ storage, audit, clock, random, log, calendars },
    calendarNames: new Set([...hours.keys(), ...calendars.keys()]),
    limits: config.market.instruments,
  });
  return {
    services: { instruments },
    agents: instruments.agents,
    close: () => instruments.close(),
  };
}
