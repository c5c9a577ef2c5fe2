// Foreign text on its way to a person's screen: a file may hold escape sequences that move a cursor or rename a
// window, and lines of any length. Separate so that every message goes through the same door.

const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The text with every control, format and line-separating character replaced by U+FFFD. */
export function printable(text: string): string {
  return text.replace(control, "\ufffd");
}

/** The text in quotation marks, printable and cut to `lengthMax` characters, for use inside a message. */
export function quoted(text: string, lengthMax = 40): string {
  const shown = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return `"${printable(shown)}"`;
}
