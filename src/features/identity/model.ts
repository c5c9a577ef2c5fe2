// What identity says and hears on the wire: a user, changes to one, pages of them, and all that is held about somebody. The schemas are the
// only source of the types. Nothing here ever has a place for a password or a key's secret.

import { type Static, Type } from "@sinclair/typebox";
import { roles } from "../../domain/permission";
import { oneOf, queryInteger, timestamp } from "../../foundation/wire";
import { emailLengthMax, userNameLengthMax, userNamePattern } from "./rules";

const closed = { additionalProperties: false } as const;

export const pageLimitDefault = 50;
export const pageLimitMax = 200;

const userId = Type.String({
  minLength: 1,
  maxLength: 40,
  pattern: "^[0-9A-Za-z-]+$",
  description: "The user's id.",
  examples: ["019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10"],
});

const name = Type.String({
  minLength: 1,
  maxLength: userNameLengthMax,
  pattern: userNamePattern,
  description: "A name for people: no control characters, no space in front.",
});

const role = oneOf(roles, { description: "What the user may do, at most." });

const momentOrNull = (description: string) => Type.Union([timestamp(), Type.Null()], { description });

const exampleUser = {
  id: "019a9f3c-5d1e-7c55-a3f1-7d0b3a2c9e10",
  name: "Ada Lovelace",
  email: "ada@example.org",
  email_verified_at: "2026-01-02T03:10:00.000000Z",
  role: "trader" as const,
  disabled_at: null,
  erased_at: null,
  created_at: "2026-01-02T03:04:05.678901Z",
  updated_at: "2026-01-02T03:10:00.000000Z",
};

/** A user as everybody who may see one sees it. */
export const User = Type.Object(
  {
    id: userId,
    name,
    email: Type.Union([Type.String({ maxLength: emailLengthMax }), Type.Null()], {
      description: "In lower case; null: owns keys and never signs in, or was erased.",
    }),
    email_verified_at: momentOrNull("When the address was shown to be the user's own; null: not yet."),
    role,
    disabled_at: momentOrNull("Since when nothing of the user's is honoured; null: it is."),
    erased_at: momentOrNull("When the person's data were blanked; null: they were not."),
    created_at: timestamp({ description: "When the user was made." }),
    updated_at: timestamp({ description: "When the user was last changed." }),
  },
  { ...closed, $id: "User", examples: [exampleUser] },
);
export type User = Static<typeof User>;

/** The body of PATCH /api/v1/auth/me. */
export const MePatch = Type.Object({ name }, { ...closed, $id: "MePatch", examples: [{ name: "Ada Lovelace" }] });
export type MePatch = Static<typeof MePatch>;

/** The body of PATCH /api/v1/admin/users/{id}. */
export const UserPatch = Type.Object(
  {
    name: Type.Optional(name),
    role: Type.Optional(role),
    disabled: Type.Optional(Type.Boolean({ description: "true: nothing of the user's is honoured from now on." })),
  },
  { ...closed, $id: "UserPatch", minProperties: 1, examples: [{ role: "trader" }, { disabled: true }] },
);
export type UserPatch = Static<typeof UserPatch>;

export const UserPage = Type.Object(
  {
    data: Type.Array(User),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "Send it as cursor for the next page." }),
    has_more: Type.Boolean(),
  },
  { ...closed, $id: "UserPage", examples: [{ data: [exampleUser], next_cursor: null, has_more: false }] },
);
export type UserPage = Static<typeof UserPage>;

export const UserPageQuery = Type.Object(
  {
    limit: Type.Optional(
      queryInteger({
        minimum: 1,
        maximum: pageLimitMax,
        description: `Users in a page, at most; ${pageLimitDefault} where it is left out.`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "The next_cursor of the page before." }),
    ),
    role: Type.Optional(oneOf(roles, { description: "Only users in this role." })),
    email: Type.Optional(
      Type.String({ minLength: 3, maxLength: emailLengthMax, description: "Only the user with this address." }),
    ),
    disabled: Type.Optional(
      oneOf(["true", "false"] as const, { description: "Only users who are disabled, or only those who are not." }),
    ),
  },
  closed,
);

export const UserPath = Type.Object({ id: userId }, closed);

/** Everything held about a user. Further parts stand beside these, each a list under its own name. */
export const UserExport = Type.Object(
  { exported_at: timestamp({ description: "When this was put together." }), user: User },
  {
    additionalProperties: Type.Array(Type.Unknown()),
    $id: "UserExport",
    description:
      "Everything held about the user: beside `user`, a list for each part of the system that holds something, such as `api_keys`.",
    examples: [{ exported_at: "2026-01-02T04:00:00.000000Z", user: exampleUser, api_keys: [] }],
  },
);
export type UserExport = Static<typeof UserExport>;
