// Digital, barrier, lookback and Asian options: price with five Greeks, and every Greek, beside the tree of 200 steps that stands for plain TypeScript in
// the bench of American options. All ratios are of one run against that tree. A tree of their own would need thousands of steps near a barrier.

import { readFileSync } from "node:fs";
import { buildWasm } from "../../build/wasm";
import { defaultOutputs, modelNamed } from "../../src/engine/catalog";
import { createEngine, type PriceRequest } from "../../src/engine/engine";
import { sameLists } from "../../src/engine/lists";
import { type Clock, systemClock } from "../../src/foundation/clock";
import { compare, describe, type Measurement, type Ratio, ratioOf } from "../compare";
import { treePut } from "./american";

/** What each must be worth against the tree, about two thirds of what was measured where nothing else ran. */
export const floors = { digital: 65, barrier: 20, lookback: 12, twoBarriers: 4, asian: 11 } as const;

const rows = 512;

function request(model: "digital" | "barrier" | "lookback" | "asian", terms: Record<string, number>): PriceRequest {
  const column = (low: number, high: number, stride: number) =>
    Float64Array.from({ length: rows }, (_, row) => low + (high - low) * ((row * stride) % 1));
  return {
    model,
    count: rows,
    isCall: Uint8Array.from({ length: rows }, (_, row) => row & 1),
    inputs: {
      spot: column(95, 110, 0.2360679774997897),
      strike: column(90, 115, 0.6180339887498949),
      time_to_expiry: column(0.08, 1, 0.4142135623730951),
      rate: column(0.01, 0.06, 0.7320508075688772),
      dividend_yield: column(0, 0.04, 0.23606797749978967),
      volatility: column(0.1, 0.5, 0.6457513110645907),
      ...terms,
    },
    outputs: defaultOutputs,
    units: "raw",
  };
}

/** Measures all contenders; few rounds make a smoke test. */
export async function benchExotic(options: {
  readonly clock: Clock;
  readonly rounds: number;
  readonly rowsPerRound: number;
}): Promise<{ measurements: Measurement[]; ratios: Ratio[] }> {
  const engine = createEngine({ wasmBytes: readFileSync((await buildWasm()).path), version: "bench" });
  const place = (model: "barrier" | "lookback", input: string, word: string) =>
    modelNamed(model)
      .inputs.find(({ name }) => name === input)!
      .words!.indexOf(word);
  const requests = {
    "digital, cash": request("digital", { payoff: 0, cash: 10 }),
    "barrier, down-and-out": request("barrier", {
      barrier_type: place("barrier", "barrier_type", "down_out"),
      barrier: 88,
    }),
    "lookback, floating": request("lookback", {
      strike_type: place("lookback", "strike_type", "floating"),
      extreme_so_far: 100,
    }),
    "barrier, two": request("barrier", {
      barrier_type: place("barrier", "barrier_type", "double_out"),
      barrier: 80,
      upper_barrier: 130,
    }),
  };
  const months = Array.from({ length: 12 }, (_, month) => (month + 1) / 12);
  const yearly = request("asian", { average: 0, time_to_expiry: 1 });
  const averages = {
    "asian, twelve fixings": { ...yearly, lists: { fixings: sameLists(months) } },
    "asian, continuous": yearly,
    "asian, twelve fixings, lower bound": {
      ...request("asian", { average: 0, time_to_expiry: 1, method: 1 }),
      lists: { fixings: sameLists(months) },
    },
    "barrier, in a window": request("barrier", {
      barrier_type: place("barrier", "barrier_type", "down_out"),
      barrier: 88,
      window_start: 0.02,
      window_end: 0.06,
    }),
  };
  const all: Record<string, PriceRequest> = { ...requests, ...averages };
  const tree = new Float64Array(rows);
  const slow = "tree of 200 steps, plain TypeScript";
  const measurements = compare(
    [
      {
        name: slow,
        rows: 64,
        run: () => {
          for (let row = 0; row < 64; row++) tree[row] = treePut(95 + row / 4, 100, 0.5, 0.05, 0.02, 0.25);
        },
      },
      ...Object.entries(all).flatMap(([name, asked]) => [
        { name, rows, run: () => engine.price(asked) },
        {
          name: `${name}, every Greek`,
          rows,
          run: () => engine.price({ ...asked, outputs: modelNamed(asked.model).outputs }),
        },
      ]),
    ],
    options,
  );
  const against = (name: keyof typeof requests | keyof typeof averages, floor: number) =>
    ratioOf(measurements, {
      name: `${name}, price and five Greeks against a tree of 200 steps`,
      fast: name,
      slow,
      floor,
    });
  const ratios = [
    against("digital, cash", floors.digital),
    against("barrier, down-and-out", floors.barrier),
    against("lookback, floating", floors.lookback),
    against("barrier, two", floors.twoBarriers),
    against("asian, twelve fixings", floors.asian),
  ];
  return { measurements, ratios };
}

if (import.meta.main) {
  const { measurements, ratios } = await benchExotic({ clock: systemClock, rounds: 15, rowsPerRound: 2048 });
  process.stdout.write(describe("exotic options", measurements, ratios));
}
