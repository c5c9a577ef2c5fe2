// Bodies of application/x-www-form-urlencoded, for the one protocol that demands them (RFC 6749). Separate from body.ts because
// what is a fault differs: a name sent twice means two things to two readers, and is refused. The result is as flat as the form was.

import { Refusal } from "./problem";

export const formMediaType = "application/x-www-form-urlencoded";

const fieldCountMax = 32;

/** Whether the body says that it is a form. */
export function isForm(request: Request): boolean {
  const type = request.headers.get("content-type") ?? "";
  return /^application\/x-www-form-urlencoded\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type);
}

/** The form's fields as an object of texts. Throws 400 BODY_MALFORMED or BODY_KEY_REFUSED. */
export function parseForm(bytes: Uint8Array): Readonly<Record<string, string>> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // URLSearchParams passes over what is no encoding of anything; this does not.
    decodeURIComponent(text);
  } catch {
    throw malformed("BODY_MALFORMED", "The body is not a form in UTF-8");
  }
  const fields: Record<string, string> = {};
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    count += 1;
    if (count > fieldCountMax) throw malformed("BODY_MALFORMED", `The form has more than ${fieldCountMax} fields`);
    if (name === "__proto__") throw malformed("BODY_KEY_REFUSED", "The body has a field no request has");
    if (Object.hasOwn(fields, name)) throw malformed("BODY_MALFORMED", "The form has a field twice");
    fields[name] = value;
  }
  return fields;
}

function malformed(code: string, detail: string): Refusal {
  return new Refusal({ kind: "malformed", code, detail });
}
