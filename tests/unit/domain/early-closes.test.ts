// Days on which New York closes at 13:00, year by year as NYSE's list of special closings has them.

import { expect, test } from "bun:test";
import { isBusinessDay } from "../../../src/domain/business-calendar";
import { civilFromDays, daysFromCivil, formatCivilDate } from "../../../src/domain/calendar";
import { closesEarly } from "../../../src/domain/early-closes";
import { builtInCalendars } from "../../../src/domain/exchange-calendars";

const calendar = builtInCalendars().get("new_york")!;

function shortDaysOf(year: number): string[] {
  const days: string[] = [];
  for (let day = daysFromCivil(year, 1, 1); day <= daysFromCivil(year, 12, 31); day++) {
    if (isBusinessDay(calendar, day) && closesEarly(day)) days.push(formatCivilDate(civilFromDays(day)).slice(5));
  }
  return days;
}

const rows: readonly (readonly [year: number, days: readonly string[]])[] = [
  [1999, ["11-26"]],
  [2000, ["07-03", "11-24"]],
  [2001, ["07-03", "11-23", "12-24"]],
  [2002, ["07-05", "11-29", "12-24"]],
  [2003, ["07-03", "11-28", "12-24", "12-26"]],
  [2004, ["11-26"]],
  [2006, ["07-03", "11-24"]],
  [2007, ["07-03", "11-23", "12-24"]],
  [2009, ["11-27", "12-24"]],
  [2010, ["11-26"]],
  [2012, ["07-03", "11-23", "12-24"]],
  [2013, ["07-03", "11-29", "12-24"]],
  [2014, ["07-03", "11-28", "12-24"]],
  [2015, ["11-27", "12-24"]],
  [2016, ["11-25"]],
  [2018, ["07-03", "11-23", "12-24"]],
  [2019, ["07-03", "11-29", "12-24"]],
  [2020, ["11-27", "12-24"]],
  [2021, ["11-26"]],
  [2022, ["11-25"]],
  [2023, ["07-03", "11-24"]],
  [2024, ["07-03", "11-29", "12-24"]],
  [2025, ["07-03", "11-28", "12-24"]],
  [2026, ["11-27", "12-24"]],
  [2027, ["11-26"]],
  [2028, ["07-03", "11-24"]],
];

test.each(rows)("S4.49 %i has exactly its short days", (year, days) => {
  expect(shortDaysOf(year)).toEqual([...days]);
});
