// Tells when a write waits for something that is not its transaction. Separate from the writer because the two kinds of
// database differ in it: a file answers within the turn of the event loop in which it was asked, so that any turn gives
// the work away; a server's answers come turns later, so that only a turn without a statement under way does.

/** What `turned` resolves with. */
export const loopTurned = Symbol("the event loop turned");

export interface TurnGuard {
  /** A work begins: resolves once it waits for something else. */
  watch(): Promise<typeof loopTurned>;
  /** Some work did. */
  readonly hasTurned: boolean;
  /** A statement is sent. */
  sent(): void;
  /** Its answer is there. */
  answered(): void;
  /** The group is over. */
  end(): void;
}

/** For a file: the group has one turn. */
export function turnOfGroup(): TurnGuard {
  const turned = Promise.withResolvers<typeof loopTurned>();
  let hasTurned = false;
  const turn = setImmediate(() => {
    hasTurned = true;
    turned.resolve(loopTurned);
  });
  return {
    watch: () => turned.promise,
    get hasTurned() {
      return hasTurned;
    },
    sent: () => undefined,
    answered: () => undefined,
    end: () => clearImmediate(turn),
  };
}

/** For a server: a work has the turn in which it was begun, and the turn of each answer. */
export function turnsBetweenAnswers(): TurnGuard {
  let turned = Promise.withResolvers<typeof loopTurned>();
  let hasTurned = false;
  let underWayCount = 0;
  let turn: NodeJS.Immediate | null = null;
  const disarm = () => {
    if (turn !== null) clearImmediate(turn);
    turn = null;
  };
  const arm = () => {
    disarm();
    turn = setImmediate(() => {
      if (underWayCount > 0) return;
      hasTurned = true;
      turned.resolve(loopTurned);
    });
  };
  return {
    watch() {
      turned = Promise.withResolvers();
      arm();
      return turned.promise;
    },
    get hasTurned() {
      return hasTurned;
    },
    sent() {
      underWayCount += 1;
      disarm();
    },
    answered() {
      underWayCount -= 1;
      if (underWayCount === 0) arm();
    },
    end: disarm,
  };
}
