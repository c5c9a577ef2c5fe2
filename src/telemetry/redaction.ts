// The last gate before a log line is written: whatever a careless call brought along, no secret and nothing personal passes, at
// whatever depth, under a telling name or in the midst of a sentence. Separate from the log so that it works on the finished text, where
// nothing can slip by. It must never make a line that is not JSON any more, and never take longer for a longer line than in proportion.

const blank = "[redacted]";

/** Ends of names whose values are secret or personal. Identifiers (user_id, key_id, token_id) end otherwise and stay. */
const tellingEnds =
  "password|passphrase|passwd|secret|token|authorization|cookie|api[_-]?key|credential|email|payload|totp|recovery_code|ip_address|user_agent|user-agent|peer";

/** A member of that name with a text for its value, as JSON writes it. */
const member = new RegExp(`("[^"\\\\]{0,64}?(?:${tellingEnds})s?"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, "gi");

/** The same in a JSON text that is itself quoted inside a value; what follows an escape in its value goes with it. */
const quotedMember = new RegExp(
  `(\\\\{1,8}"[^"\\\\]{0,64}?(?:${tellingEnds})s?\\\\{1,8}"\\s*:\\s*\\\\{1,8}")(?:[^"\\\\]|\\\\+[^"\\\\])*`,
  "gi",
);

/** In running text: what shows by its form what it is. Each replaced by what may stay. */
const forms: readonly (readonly [RegExp, string])[] = [
  // Keys: the id tells which, the rest is the secret.
  [/(bso_[0-9A-Za-z]{1,40})_[0-9A-Za-z]+/g, `$1_${blank}`],
  // Signed tokens: three parts of base64url, the first an object.
  [/\beyJ[\w-]{8,4096}\.[\w-]+\.[\w-]*/g, blank],
  [/\b(Bearer|Basic) [A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${blank}`],
  // An address's user and password.
  [/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@"\\]{1,400}@/gi, `$1${blank}@`],
  [/[\p{L}\p{N}._%+'-]{1,64}@[\p{L}][\p{L}\p{N}-]{0,62}(?:\.[\p{L}\p{N}-]{1,63}){0,8}/gu, blank],
];

/** The line without what must not stand in a log; the same text where nothing of it does. */
export function redacted(line: string): string {
  let text = line.replace(member, `$1"${blank}"`);
  if (text.includes("\\")) text = text.replace(quotedMember, `$1${blank}`);
  for (const [form, rest] of forms) text = text.replace(form, rest);
  return text;
}
