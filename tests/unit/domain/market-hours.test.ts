// Markets' sessions at moments: opening and closing, holidays, short days, evenings before, and clocks that are set on and back.

import { describe, expect, test } from "bun:test";
import { businessCalendar } from "../../../src/domain/business-calendar";
import { daysFromCivil } from "../../../src/domain/calendar";
import { parseTimestamp } from "../../../src/domain/day-count";
import { builtInCalendars } from "../../../src/domain/exchange-calendars";
import { marketHours, marketNames, sessionAt } from "../../../src/domain/market-hours";
import { formatTimestamp } from "../../../src/foundation/clock";

const hours = marketHours(builtInCalendars());
const momentOf = (text: string) => {
  const moment = parseTimestamp(text);
  if (typeof moment === "string") throw new Error(`${text}: ${moment}`);
  return moment;
};
const shown = (name: string, text: string, known = hours) => {
  const found = sessionAt(known.get(name)!, momentOf(text));
  if (found === null) return null;
  const { session, since, next } = found;
  const brief = (moment: bigint) => formatTimestamp(moment).slice(0, 16);
  return [session, since === null ? null : brief(since), next === null ? null : `${next.session} ${brief(next.at)}`];
};

type Row = readonly [what: string, market: string, at: string, shown: readonly (string | null)[]];

describe("S4.49 a market at a moment", () => {
  const rows: readonly Row[] = [
    ["early in winter", "new_york", "2026-11-20T09:00:00Z", ["pre", "2026-11-20T09:00", "open 2026-11-20T14:30"]],
    [
      "a moment before",
      "new_york",
      "2026-11-20T08:59:59.999999Z",
      ["closed", "2026-11-20T01:00", "pre 2026-11-20T09:00"],
    ],
    ["opening", "new_york", "2026-11-20T14:30:00Z", ["open", "2026-11-20T14:30", "after 2026-11-20T21:00"]],
    ["closing", "new_york", "2026-11-20T21:00:00Z", ["after", "2026-11-20T21:00", "closed 2026-11-21T01:00"]],
    ["a weekend", "new_york", "2026-11-21T12:00:00Z", ["closed", "2026-11-21T01:00", "pre 2026-11-23T09:00"]],
    ["Thanksgiving", "new_york", "2026-11-26T15:00:00Z", ["closed", "2026-11-26T01:00", "pre 2026-11-27T09:00"]],
    ["the short day after", "new_york", "2026-11-27T17:59:00Z", ["open", "2026-11-27T14:30", "after 2026-11-27T18:00"]],
    ["its evening", "new_york", "2026-11-27T18:00:00Z", ["after", "2026-11-27T18:00", "closed 2026-11-27T22:00"]],
    ["summer time", "new_york", "2026-07-06T13:30:00Z", ["open", "2026-07-06T13:30", "after 2026-07-06T20:00"]],
    [
      "clocks set on over the weekend",
      "new_york",
      "2026-03-07T12:00:00Z",
      ["closed", "2026-03-07T01:00", "pre 2026-03-09T08:00"],
    ],
    [
      "clocks set back over the weekend",
      "new_york",
      "2026-10-31T12:00:00Z",
      ["closed", "2026-10-31T00:00", "pre 2026-11-02T09:00"],
    ],
    [
      "four days of September 2001",
      "new_york",
      "2001-09-12T15:00:00Z",
      ["closed", "2001-09-11T00:00", "pre 2001-09-17T08:00"],
    ],
    ["the evening before", "cboe", "2026-11-20T01:15:00Z", ["pre", "2026-11-20T01:15", "closed 2026-11-20T14:25"]],
    ["between two sessions", "cboe", "2026-11-20T14:27:00Z", ["closed", "2026-11-20T14:25", "open 2026-11-20T14:30"]],
    ["Sunday evening", "cboe", "2026-11-23T03:00:00Z", ["pre", "2026-11-23T01:15", "closed 2026-11-23T14:25"]],
    ["Friday evening", "cboe", "2026-11-21T03:00:00Z", ["closed", "2026-11-20T22:00", "pre 2026-11-23T01:15"]],
    ["after 16:00 still open", "cboe", "2026-11-20T21:10:00Z", ["open", "2026-11-20T14:30", "after 2026-11-20T21:15"]],
    ["a short day", "cboe", "2026-11-27T18:20:00Z", ["closed", "2026-11-27T18:15", "pre 2026-11-30T01:15"]],
    ["always", "deribit", "2026-12-25T03:00:00Z", ["open", null, null]],
    ["before it opens", "nse", "2026-11-20T03:40:00Z", ["pre", "2026-11-20T03:30", "open 2026-11-20T03:45"]],
    ["open", "nse", "2026-11-20T09:59:59Z", ["open", "2026-11-20T03:45", "closed 2026-11-20T10:00"]],
    ["its closing session", "nse", "2026-11-20T10:10:00Z", ["after", "2026-11-20T10:10", "closed 2026-11-20T10:30"]],
    ["the last day known", "cboe", "2199-12-31T12:00:00Z", ["pre", "2199-12-31T01:15", "closed 2199-12-31T14:25"]],
    ["nothing follows it", "cboe", "2199-12-31T23:00:00Z", ["closed", "2199-12-31T22:00", null]],
    ["nothing came before", "new_york", "1990-01-01T12:00:00Z", ["closed", null, "pre 1990-01-02T09:00"]],
  ];
  test.each(rows)("%s (%s, %s)", (_what, market, at, wanted) => {
    expect(shown(market, at)).toEqual([...wanted]);
  });

  test("that its calendar does not know is told nothing of", () => {
    expect(shown("cboe", "1997-06-02T15:00:00Z")).toBeNull();
    expect(shown("new_york", "2200-01-01T15:00:00Z")).toBeNull();
    expect(shown("nse", "1969-12-31T15:00:00Z")).toBeNull();
  });

  test("keeps the user's holidays, and says where it knows none", () => {
    const nse = businessCalendar({
      ...{ name: "nse", firstDay: daysFromCivil(2026, 1, 1), lastDay: daysFromCivil(2026, 12, 31), weekend: [0, 6] },
      closedDays: () => [daysFromCivil(2026, 11, 10)],
    });
    const known = marketHours(new Map([...builtInCalendars(), ["nse", nse]]));
    expect(shown("nse", "2026-11-10T05:00:00Z", known)).toEqual(["closed", "2026-11-09T10:30", "pre 2026-11-11T03:30"]);
    expect(shown("nse", "2026-11-10T05:00:00Z")?.[0]).toBe("open");
    expect(known.get("nse")!.knowsHolidays).toBe(true);
    expect(hours.get("nse")!.knowsHolidays).toBe(false);
  });

  test("is told for every market by name", () => {
    expect([...hours.keys()]).toEqual([...marketNames]);
  });
});

test("S4.49 through two years of any market, each change is where the one before said, and in between nothing changes", () => {
  for (const name of marketNames) {
    const market = hours.get(name)!;
    let moment = momentOf("2025-01-01T00:00:00Z");
    const end = momentOf("2027-01-01T00:00:00Z");
    let count = 0;
    for (let found = sessionAt(market, moment); found?.next && moment < end; count++) {
      const { at, session } = found.next;
      expect(sessionAt(market, at - 1n)).toEqual(found);
      const following = sessionAt(market, at)!;
      expect(following.session).toBe(session);
      expect(following.since).toBe(at);
      expect(following.session).not.toBe(found.session);
      moment = at;
      found = following;
    }
    // 501 days of New York's exchanges, 5 of them short, and 522 weekdays; New York's clocks begin in the evening of a day's late session.
    expect(count).toBe({ new_york: 1 + 501 * 4, cboe: 501 * 5 - 5 + 1, deribit: 0, nse: 522 * 5 + 1 }[name]);
  }
});
