// The way in to a database: a file, whose folder is made and whose lock is held while it is open, or a server, which needs
// neither. Separate so that the two kinds of connection do not know each other.

import { type CommitDurability, Connection, type ConnectionRole, type DatabaseConnection } from "./connection";
import { FilePlace } from "./file-place";
import { isLeftOpen, leaveFolder, lockFolder } from "./folder-lock";
import { type DatabaseAddress, prepareFiles, requireRestored } from "./location";
import type { Patience } from "./patience";
import { RemoteConnection } from "./remote-connection";

export interface DatabaseDoor {
  /** A file's log had content and nobody had it open: its last user was ended. False on a server. */
  readonly wasLeftOpen: boolean;
  /** A connection that has not been used yet. */
  open(role: ConnectionRole): DatabaseConnection;
  /** Gives the lock back where opening failed. */
  giveUp(): Promise<void>;
  /** Gives the lock back after good use of this writer's connection. */
  leave(writer: DatabaseConnection): Promise<void>;
}

/** Makes folder and file where they are missing, and shares their lock. Reaches no server yet: the first statement does. */
export async function enterDatabase(
  address: DatabaseAddress,
  patience: Patience,
  commits: CommitDurability = "full",
): Promise<DatabaseDoor> {
  if (address.kind === "server") {
    const nothing = () => Promise.resolve();
    const { durability, limits = {} } = address;
    const open = () => new RemoteConnection({ address, durability, limits, ...patience });
    return { wasLeftOpen: false, open, giveUp: nothing, leave: nothing };
  }
  requireRestored(address);
  prepareFiles(address, patience.log);
  const wasLeftOpen = await isLeftOpen(address, patience);
  const lock = await lockFolder(address, "shared", patience);
  const place = new FilePlace(address.path);
  return {
    wasLeftOpen,
    open: (role) => new Connection(address.clientUrl, role, place, commits),
    giveUp: () => lock.release(),
    async leave(writer) {
      if (writer instanceof Connection) await leaveFolder(address, lock, writer, patience);
    },
  };
}
