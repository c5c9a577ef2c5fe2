// What each of SQLite's result codes becomes: a reason, a stable code, a hint where an operator can act.

import { describe, expect, test } from "bun:test";
import { LibsqlError } from "@libsql/client/sqlite3";
import { BsoptError, type Reason } from "../../../src/foundation/errors";
import {
  asBsoptError,
  databaseCode,
  isBusy,
  isCertainlyUndone,
  isCorruption,
  isForeignKeyViolation,
  isUniqueViolation,
} from "../../../src/storage/database-error";

const rows: [sqlite: string, Reason, code: string, hasHint: boolean, isUndone: boolean][] = [
  ["SQLITE_BUSY", "unavailable", "DATABASE_BUSY", true, true],
  ["SQLITE_LOCKED", "unavailable", "DATABASE_BUSY", true, true],
  ["SQLITE_PROTOCOL", "unavailable", "DATABASE_BUSY", true, true],
  ["SQLITE_FULL", "unavailable", "DATABASE_FULL", true, true],
  ["SQLITE_READONLY", "unavailable", "DATABASE_READ_ONLY", true, true],
  ["SQLITE_PERM", "unavailable", "DATABASE_READ_ONLY", true, false],
  ["SQLITE_AUTH", "unavailable", "DATABASE_READ_ONLY", true, false],
  ["SQLITE_CANTOPEN", "unavailable", "DATABASE_UNREACHABLE", true, false],
  ["SQLITE_IOERR", "unavailable", "DATABASE_IO_FAILED", true, false],
  ["SQLITE_CORRUPT", "internal", "DATABASE_CORRUPT", true, false],
  ["SQLITE_NOTADB", "internal", "DATABASE_CORRUPT", true, false],
  ["SQLITE_CONSTRAINT", "internal", "DATABASE_CONSTRAINT", false, true],
  ["SQLITE_ERROR", "internal", "DATABASE_STATEMENT_FAILED", false, false],
  ["SOMETHING_NEW", "internal", "DATABASE_STATEMENT_FAILED", false, false],
];

describe("the driver's errors", () => {
  for (const [sqlite, reason, code, hasHint, isUndone] of rows) {
    test(`${sqlite} is ${reason} ${code}; after COMMIT ${isUndone ? "certainly undone" : "not certainly undone"}`, () => {
      const cause = new LibsqlError("INSERT INTO secrets VALUES ('hush')", sqlite);
      const error = asBsoptError(cause) as BsoptError;
      expect(error).toBeInstanceOf(BsoptError);
      expect(error).toMatchObject({ reason, code, cause });
      expect(error.hint !== undefined).toBe(hasHint);
      expect(`${error.detail}${error.hint}`).not.toContain("hush");
      expect(isCertainlyUndone(cause)).toBe(isUndone);
      expect(isBusy(cause)).toBe(code === "DATABASE_BUSY");
      expect(isCorruption(cause)).toBe(code === "DATABASE_CORRUPT");
    });
  }

  test("errors that are not the driver's pass through as they are", () => {
    const mine = new TypeError("mine");
    expect(asBsoptError(mine)).toBe(mine);
    expect([databaseCode(mine), isBusy(mine), isUniqueViolation(mine), isForeignKeyViolation("text")]).toEqual([
      null,
      false,
      false,
      false,
    ]);
  });

  test("violations are recognised through causes, primary keys as uniqueness", () => {
    const wrap = (extended: string) =>
      new Error("outer", { cause: asBsoptError(new LibsqlError("x", "SQLITE_CONSTRAINT", extended)) });
    expect(isUniqueViolation(wrap("SQLITE_CONSTRAINT_UNIQUE"))).toBe(true);
    expect(isUniqueViolation(wrap("SQLITE_CONSTRAINT_PRIMARYKEY"))).toBe(true);
    expect(isUniqueViolation(wrap("SQLITE_CONSTRAINT_NOTNULL"))).toBe(false);
    expect(isForeignKeyViolation(wrap("SQLITE_CONSTRAINT_FOREIGNKEY"))).toBe(true);
  });
});
