// The shape every room logs through. telemetry/log makes the real one; tests hand in a recorder.

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Swallows everything: for tools and tests that must stay quiet. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
