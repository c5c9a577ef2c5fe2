// What several want at once, counted: a thing is wanted from the first who asks until the last who did lets go. Separate because both channels and
// subscriptions ask the same source. It must never let one letting go take away what another still wants.

export class Interest {
  readonly #counts = new Map<string, number>();
  readonly #listeners = new Set<(wanted: ReadonlySet<string>) => void>();

  /** A copy. */
  get wanted(): ReadonlySet<string> {
    return new Set(this.#counts.keys());
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  want(names: readonly string[]): void {
    let isNew = false;
    for (const name of names) {
      const count = this.#counts.get(name) ?? 0;
      if (count === 0) isNew = true;
      this.#counts.set(name, count + 1);
    }
    if (isNew) this.#tell();
  }

  /** Letting go of what nobody wants does nothing. */
  unwant(names: readonly string[]): void {
    let isLast = false;
    for (const name of names) {
      const count = this.#counts.get(name) ?? 0;
      if (count > 1) this.#counts.set(name, count - 1);
      else if (this.#counts.delete(name)) isLast = true;
    }
    if (isLast) this.#tell();
  }

  /** Told of everything that is wanted after each change of it; the function ends that. */
  onChange(told: (wanted: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  #tell(): void {
    const { wanted } = this;
    for (const told of this.#listeners) told(wanted);
  }
}
