// The shape of what `verify` finds. Separate from verify.ts so that the tables in golden/ can report without importing their
// caller. Its fields are printed as they stand (`bsopt verify --json`), hence snake_case.

/** One output of one golden table against its tolerance. */
export interface OutputCheck {
  /** Which table. */
  readonly table: string;
  /** The output's wire name. */
  readonly output: string;
  /** What the error is measured in, in words. */
  readonly measure: string;
  /** Values compared. */
  readonly rows: number;
  /** The largest error found. */
  readonly worst: number;
  readonly tolerance: number;
  readonly passed: boolean;
}

/** The kernel's time beside the plain TypeScript twin's, from one run: nanoseconds an option, the best round of each. */
export interface SpeedCheck {
  readonly task: "price_and_greeks" | "implied_volatility";
  readonly kernel_ns: number;
  readonly plain_ns: number;
  /** How many times the kernel is faster. */
  readonly ratio: number;
}

/** Whether the kernel computes what it should, and how fast. */
export interface VerifyReport {
  /** True where every check holds; speed is told, not judged. */
  readonly passed: boolean;
  readonly wasm_sha256: string;
  readonly checks: readonly OutputCheck[];
  readonly speeds: readonly SpeedCheck[];
}
