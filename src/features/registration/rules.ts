// What registration decides without asking anybody: which passwords are taken. Pure, so that each rule is a table in the tests.

/**
 * The password as it is counted and hashed: in Unicode's composed form (NFC), because two systems may send the same letters in two
 * ways. Nothing is trimmed, cut or folded.
 */
export function canonicalPassword(password: string): string {
  return password.normalize("NFC");
}
