// Subscriptions as part of what is held about somebody. Separate from the routes, and the only file another feature may import.

import type { Storage } from "../../storage/storage";
import type { PersonalData } from "../identity/service";
import { deleteAllOf, pageOfRows } from "./repository";

/** Rows in an export, at most: more than anybody can have. */
const exportedCountMax = 20_000;

/** All of a user's subscriptions, deleted with the user. */
export function subscriptionsPersonalData(storage: Pick<Storage, "read">): PersonalData {
  return {
    name: "subscriptions",
    async collect(userId) {
      const rows = await pageOfRows(storage.read, { userId, after: null, limit: exportedCountMax });
      return rows.map(({ id, accountId, definition }) => ({ id, account_id: accountId, ...JSON.parse(definition) }));
    },
    async erase(tx, { id }) {
      await deleteAllOf(tx, id);
    },
  };
}
