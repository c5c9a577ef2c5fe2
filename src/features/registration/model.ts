// What registration says and hears on the wire. The schemas are the only source of the types. Lengths here only keep out what no
// rule needs to see; which addresses and passwords are taken is decided by rules whose answers have codes of their own.

import { type Static, Type } from "@sinclair/typebox";
import { roles } from "../../domain/permission";
import { oneOf } from "../../foundation/wire";
import { userSchema } from "../identity/service";
import { passwordLengthMax, passwordLengthMin, passwordUnitsMax } from "./rules";

const closed = { additionalProperties: false } as const;

const email = Type.String({
  minLength: 3,
  maxLength: 320,
  description: "A mail address; its capitals do not matter.",
  examples: ["ada@example.org"],
});

const password = (description: string) =>
  Type.String({
    maxLength: passwordUnitsMax,
    description: `${description} ${passwordLengthMin} to ${passwordLengthMax} characters of any kind; none of the 10,000 most common, nor the address.`,
    examples: ["seven-green-boats"],
  });

const token = Type.String({
  pattern: "^[A-Za-z0-9_-]{43}$",
  description: "The token out of the mail.",
  examples: ["1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ"],
});

const name = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: "^[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$",
  description: "A name for people: no control characters, no space in front.",
});

export const RegisterRequest = Type.Object(
  {
    email,
    password: password("The password to sign in with."),
    name: Type.Optional(name),
  },
  {
    ...closed,
    $id: "RegisterRequest",
    examples: [{ email: "ada@example.org", password: "seven-green-boats", name: "Ada Lovelace" }],
  },
);
export type RegisterRequest = Static<typeof RegisterRequest>;

export const EmailRequest = Type.Object(
  { email },
  { ...closed, $id: "EmailRequest", examples: [{ email: "ada@example.org" }] },
);

export const VerifyEmailRequest = Type.Object(
  {
    token,
    password: Type.Optional(
      password("The password to sign in with from now on. Needed where the address was registered more than once."),
    ),
  },
  { ...closed, $id: "VerifyEmailRequest", examples: [{ token: "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ" }] },
);

export const PasswordResetRequest = Type.Object(
  { token, password: password("The new password.") },
  {
    ...closed,
    $id: "PasswordResetRequest",
    examples: [{ token: "1Zs2b7m9cQe0dRkT4uVw6xYzA8BfCgDhEiFjGkHlImJ", password: "eight-blue-trains" }],
  },
);

export const PasswordChangeRequest = Type.Object(
  {
    current_password: Type.String({ maxLength: passwordUnitsMax, description: "The present password." }),
    new_password: password("The new one."),
  },
  {
    ...closed,
    $id: "PasswordChangeRequest",
    examples: [{ current_password: "seven-green-boats", new_password: "eight-blue-trains" }],
  },
);

export const UserRequest = Type.Object(
  { email, name, role: oneOf(roles, { description: "What the user may do, at most." }) },
  {
    ...closed,
    $id: "UserRequest",
    examples: [{ email: "grace@example.org", name: "Grace Hopper", role: "trader" }],
  },
);

/** Said whether or not the address is known. */
export const VerificationSent = Type.Object(
  { status: Type.Literal("verification_sent") },
  { ...closed, $id: "VerificationSent", examples: [{ status: "verification_sent" }] },
);

/** Said whether or not the address is known. */
export const ResetSent = Type.Object(
  { status: Type.Literal("reset_sent") },
  { ...closed, $id: "ResetSent", examples: [{ status: "reset_sent" }] },
);

export const PasswordSet = Type.Object(
  { status: Type.Literal("password_set") },
  { ...closed, $id: "PasswordSet", examples: [{ status: "password_set" }] },
);

export const UserAnswer = Type.Object(
  { user: userSchema },
  { ...closed, $id: "UserAnswer", examples: [{ user: userSchema.examples[0] }] },
);
