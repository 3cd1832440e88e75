/** Remembers the last keys that it was given, so many at most. */
export class RecentKeys {
  readonly #max: number;
  readonly #keys: Set<string> = new Set();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether the key was given before. From now on it was. */
  note(key: string): boolean {
    if (this.#keys.has(key)) return true;
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > this.#max && oldest !== undefined) this.#keys.delete(oldest);
    return false;
  }
}
