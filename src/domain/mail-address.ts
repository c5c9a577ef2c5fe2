// What counts as a mail address, everywhere: one that can stand in an envelope and in a header without quotes. Pure. It must never
// take a control character, a space or a second at-sign, so that no address can become two, or a header.

/** Longest address: RFC 5321 leaves 254 for it in an envelope. */
export const mailAddressLengthMax = 254;

// No space, control or invisible character, no half of a pair, and none that means something in a header. Without Unicode classes, so that
// it means the same with and without the flag u and in other languages' readers of JSON Schema.
const plain =
  '[^\\s@<>()\\[\\],;:\\\\"\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff]';

/** A local part of 1 to 64 and a host of 1 to 253 plain characters. */
export const mailAddressPattern = `^${plain}{1,64}@${plain}{1,253}$`;

const pattern = new RegExp(mailAddressPattern);

/** Whether the text is one address. */
export function isMailAddress(text: string): boolean {
  return text.length <= mailAddressLengthMax && pattern.test(text);
}
