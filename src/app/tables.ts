// Every table of every room: what the database must hold, compared with it at the start. Separate from app.ts because it is a list.

import { archiveBlocks, archiveCheckpoints, archiveUnderlyings } from "../features/archive/table";
import { auditCheckpoints, auditErasures, auditEvents, auditPersonal } from "../features/audit/table";
import { changedSettings } from "../features/configuration/table";
import { trackedErrors } from "../features/errors/table";
import { historyCandles, historyMarks, historySymbols } from "../features/history/table";
import { users } from "../features/identity/table";
import { instrumentQuarantine, instruments } from "../features/instruments/table";
import { apiKeys } from "../features/keys/table";
import { loginChallenges, recoveryCodes, totpFactors } from "../features/login/table";
import { marketModeChanges } from "../features/mode/table";
import { mailedTokens, passwords } from "../features/registration/table";
import { loginSessions, refreshTokens } from "../features/sessions/table";
import { streamTickets } from "../features/streaming/table";
import { subscriptions } from "../features/subscriptions/table";
import { signingKeys } from "../features/tokens/table";
import { idempotencyAnswers, leases, outboxMessages } from "../storage/table";

/** By room, from left to right. */
export const everyTable = [
  users,
  apiKeys,
  passwords,
  mailedTokens,
  loginSessions,
  refreshTokens,
  totpFactors,
  recoveryCodes,
  loginChallenges,
  signingKeys,
  streamTickets,
  auditEvents,
  auditPersonal,
  auditCheckpoints,
  changedSettings,
  auditErasures,
  trackedErrors,
  instruments,
  instrumentQuarantine,
  marketModeChanges,
  subscriptions,
  outboxMessages,
  idempotencyAnswers,
  leases,
];

/** The same of the market's own database. */
export const everyMarketTable = [
  archiveUnderlyings,
  archiveBlocks,
  archiveCheckpoints,
  historySymbols,
  historyCandles,
  historyMarks,
];
