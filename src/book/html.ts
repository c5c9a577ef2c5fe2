// A chain as a page for a browser: strikes down the middle, calls to the left and puts to the right, one table an expiry. Separate from view.ts,
// whose words are for programs. No script and nothing from another host: one style sheet within the page, whose hash whoever serves it
// puts into the content security policy. Every text that came from outside is escaped.

import { createHash } from "node:crypto";
import type { Units } from "../engine/catalog";
import type { UnderlyingBook } from "./book";
import type { Selection } from "./selection";
import { type ChainCell, type ChainExpiryView, type ChainStrike, type ChainView, chain } from "./view";

const style = `:root{color-scheme:light dark;--line:#8886;--call:#0a7d3314;--put:#b0202014;--atm:#e0a80040}
body{font:14px/1.45 system-ui,sans-serif;margin:1rem auto;max-width:90rem;padding:0 1rem}
h1{font-size:1.3rem}caption{text-align:left;font-weight:600;padding:1rem 0 .35rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .5rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{border-bottom-width:2px}th.side,th.strike{text-align:center}
td.in-call{background:var(--call)}td.in-put{background:var(--put)}tr.atm>*{background:var(--atm)}
.why{font-style:italic;opacity:.75}@media print{.scroll{overflow:visible}}`;

/** What a content security policy must allow for the page's own style sheet. */
export const chainStyleHash = `sha256-${createHash("sha256").update(style).digest("base64")}`;

const shownColumns = [
  { title: "Bid", of: (cell: ChainCell) => price(cell.bid) },
  { title: "Ask", of: (cell: ChainCell) => price(cell.ask) },
  { title: "Value", of: (cell: ChainCell) => (cell.price === null ? why(cell.reason) : fixed(cell.price, 4)) },
  {
    title: "Volatility",
    of: (cell: ChainCell) => (cell.volatility === null ? "–" : `${fixed(100 * cell.volatility, 2)} %`),
  },
  { title: "Delta", of: (cell: ChainCell) => fixed(cell.delta, 4) },
  { title: "Gamma", of: (cell: ChainCell) => fixed(cell.gamma, 5) },
  { title: "Vega", of: (cell: ChainCell) => fixed(cell.vega, 4) },
  { title: "Theta", of: (cell: ChainCell) => fixed(cell.theta, 4) },
] as const;

/** The chain as a whole page. */
export function chainHtml(book: UnderlyingBook, selection: Selection, units: Units = "market"): string {
  return chainPage(chain(book, selection, units));
}

/** The page of a chain that was made before. */
export function chainPage(view: ChainView): string {
  const name = escaped(view.underlying);
  const spot = view.spot === null ? "unknown" : `${view.spot} (${escaped(view.spot_source)})`;
  const moment =
    view.as_of === null ? "not valued yet" : `<time datetime="${escaped(view.as_of)}">${escaped(view.as_of)}</time>`;
  const tables = view.expiries.map((expiry) => table(expiry)).join("\n");
  const none = view.expiries.length === 0 ? "<p>No options are listed here.</p>" : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${name} option chain</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${name} option chain</h1>
<p>Spot ${spot}, as of ${moment}; Greeks in ${escaped(view.units)} units.</p>
${none}${tables}
</main>
</body>
</html>
`;
}

function table(expiry: ChainExpiryView): string {
  const { rows, forward } = expiry;
  const money = forward ?? Number.NaN;
  const atTheMoney = rows.reduce<ChainStrike | null>(
    (nearest, row) =>
      !Number.isNaN(money) && (nearest === null || Math.abs(row.strike - money) < Math.abs(nearest.strike - money))
        ? row
        : nearest,
    null,
  );
  const told =
    forward === null
      ? "no forward"
      : `forward ${fixed(forward, 4)} (${escaped(expiry.forward_source)}${expiry.de_americanised ? ", early exercise taken out" : ""})`;
  const titles = shownColumns.map(({ title }) => `<th scope="col">${title}</th>`);
  const head = `<tr><th class="side" scope="colgroup" colspan="${titles.length}">Calls</th><td></td><th class="side" scope="colgroup" colspan="${titles.length}">Puts</th></tr>
<tr>${titles.toReversed().join("")}<th class="strike" scope="col">Strike</th>${titles.join("")}</tr>`;
  const body = rows.map((row) => line(row, row === atTheMoney, money)).join("\n");
  return `<div class="scroll"><table>
<caption>${escaped(expiry.root)} ${escaped(expiry.expiry.slice(0, 16).replace("T", " "))} UTC: ${told}</caption>
<thead>${head}</thead>
<tbody>
${body}
</tbody>
</table></div>`;
}

function line({ strike, call, put }: ChainStrike, isAtTheMoney: boolean, money: number): string {
  const cells = (cell: ChainCell | null, isIn: boolean, side: "call" | "put") => {
    const mark = isIn ? ` class="in-${side}"` : "";
    return shownColumns.map(({ of }) => `<td${mark}>${cell === null ? "" : of(cell)}</td>`);
  };
  const calls = cells(call, strike < money, "call")
    .toReversed()
    .join("");
  const puts = cells(put, strike > money, "put").join("");
  const head = `<th class="strike" scope="row">${strike}${isAtTheMoney ? '<span class="why"> at the money</span>' : ""}</th>`;
  return `<tr${isAtTheMoney ? ' class="atm"' : ""}>${calls}${head}${puts}</tr>`;
}

function price(value: number | null): string {
  return value === null ? "–" : `${value}`;
}

function fixed(value: number | null, places: number): string {
  return value === null ? "–" : value.toFixed(places);
}

function why(reason: string | null): string {
  return `<span class="why">${escaped((reason ?? "").replaceAll("_", " "))}</span>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
