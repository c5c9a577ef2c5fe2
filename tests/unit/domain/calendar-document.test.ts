// A user's calendars: what a document may hold, and that every fault of one that may not is told.

import { describe, expect, test } from "bun:test";
import { outsideCalendar } from "../../../src/domain/business-calendar";
import { civilFromDays, formatCivilDate } from "../../../src/domain/calendar";
import { calendarLimits, calendarsOfDocument } from "../../../src/domain/calendar-document";

const faultsOf = (document: unknown) =>
  calendarsOfDocument(document).faults.map(({ pointer, detail }) => `${pointer}: ${detail}`);

describe("S5.10 a user's calendars", () => {
  test("have a weekend, closed days and the years these lie in", () => {
    const { calendars, faults } = calendarsOfDocument({
      london: { holidays: ["2026-12-25", "2025-12-25", "2026-12-28"] },
      tel_aviv: { weekend: ["friday", "saturday"], holidays: ["2026-09-13"], first: "2026-03-01", last: "2026-10-31" },
      every_day: { weekend: [], holidays: [], first: "2000-01-01", last: "2000-01-01" },
    });
    expect(faults).toEqual([]);
    expect(calendars.map(outsideCalendar).map((text) => text.slice(23, 47))).toEqual([
      "2025-01-01 to 2026-12-31",
      "2026-03-01 to 2026-10-31",
      "2000-01-01 to 2000-01-01",
    ]);
    expect(calendars.map(({ isWeekend }) => isWeekend.map(Number).join(""))).toEqual(["1000001", "0000011", "0000000"]);
    expect([...calendars[0]!.holidays].map((day) => formatCivilDate(civilFromDays(day)))).toEqual([
      "2025-12-25",
      "2026-12-25",
      "2026-12-28",
    ]);
    expect(calendarsOfDocument({})).toEqual({ calendars: [], faults: [] });
  });

  const good = { holidays: ["2026-12-25"] };
  const rows: readonly (readonly [string, unknown, readonly string[]])[] = [
    ["a list", [good], [": must hold calendars by name"]],
    ["nothing", null, [": must hold calendars by name"]],
    ["a calendar of another kind", { a: 1, b: ["2026-12-25"] }, ["a: must be a table", "b: must be a table"]],
    ["no holidays", { a: {} }, ["a/holidays: must list days; each is a day such as 2026-12-25"]],
    ["a weekend alone", { a: { weekend: [], holidays: [] } }, ["a: must say its first and last day"]],
    [
      "days that are none",
      { a: { holidays: ["2026-12-25", "2026-02-29", "25.12.2026", 20261225] } },
      ["a/holidays/1: must be a day", "a/holidays/2: must be a day", "a/holidays/3: must be a day"],
    ],
    ["an unknown weekday", { a: { ...good, weekend: ["Saturday"] } }, ["a/weekend: must list weekdays"]],
    ["a weekday twice", { a: { ...good, weekend: ["friday", "friday"] } }, ["a/weekend: must list weekdays"]],
    [
      "no day of work",
      { a: { ...good, weekend: ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] } },
      ["a/weekend: must list weekdays"],
    ],
    ["a misspelt key", { a: { ...good, hollidays: [] } }, ['a/"hollidays": is unknown; known: weekend, holidays']],
    ["a first day that is none", { a: { ...good, first: "2026" } }, ["a/first: must be a day"]],
    [
      "an end before the beginning",
      { a: { ...good, last: "2025-12-31" } },
      ["a/last: must not lie before the first day"],
    ],
    ["a holiday before the first day", { a: { ...good, first: "2026-12-26" } }, ["a/holidays/0: lies outside"]],
    ["a holiday after the last day", { a: { ...good, last: "2026-12-24" } }, ["a/holidays/0: lies outside"]],
    ["a built-in name", { new_york: good, cboe: good }, ["new_york: is built in", "cboe: is built in"]],
    [
      "names that are none",
      { "": good, "New York": good, __proto: good },
      ['"": must be named', '"New York": must', '"__proto": must'],
    ],
    ["a name like an escape", { "a\u001b[2J": good }, ['"a\ufffd[2J": must be named']],
    [
      "faults in two calendars",
      { a: { holidays: ["x"] }, b: { holidays: ["y"], weekend: "none" } },
      ["a/holidays/0: must", "b/weekend: must", "b/holidays/0: must"],
    ],
  ];
  test.each(rows)("with %s are refused, every fault told", (_, document, expected) => {
    const faults = faultsOf(document);
    expect(faults.map((fault, index) => fault.slice(0, expected[index]?.length))).toEqual([...expected]);
    expect(calendarsOfDocument(document).calendars).toEqual([]);
  });

  test("have limits", () => {
    const many = Object.fromEntries(
      Array.from({ length: calendarLimits.calendarsMax + 1 }, (_, index) => [`c${index}`, good]),
    );
    expect(faultsOf(many)).toEqual([": must hold at most 100 calendars"]);
    const long = { a: { holidays: new Array(calendarLimits.holidaysMax + 1).fill("2026-12-25") } };
    expect(faultsOf(long)).toEqual(["a/holidays: must have at most 20000 days"]);
    const wrong = { a: { holidays: new Array(1000).fill("x") } };
    expect(faultsOf(wrong).length).toBe(calendarLimits.faultsMax);
  });
});
