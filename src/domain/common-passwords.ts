// Passwords so common that guessing begins with them. The list is generated (build/common-passwords.ts) and read when first asked,
// since most starts of the program ask for none. Pure data behind one question.

import list from "./common-passwords.json";

/** Answers whether a password is among the 10,000 most common of eight characters or more, capitals apart. */
export function commonPasswordTest(): (password: string) => boolean {
  let words: ReadonlySet<string> | null = null;
  return (password) => {
    words ??= new Set(list.words.split("\n"));
    return words.has(password.toLowerCase());
  };
}
