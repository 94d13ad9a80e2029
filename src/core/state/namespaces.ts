/** The cluster's namespaces and their labels: with the policy they decide which pods are paced. */
type Labels = Readonly<Record<string, string>>;

export class Namespaces {
  readonly #labels = new Map<string, Labels>();

  /** True if its labels are others than before. */
  upsert(name: string, labels: Labels): boolean {
    const before = this.#labels.get(name);
    this.#labels.set(name, labels);
    return before === undefined || !isSame(before, labels);
  }

  delete(name: string): void {
    this.#labels.delete(name);
  }

  /** They may not be listed any more: what is known would be believed for ever. */
  forget(): void {
    this.#labels.clear();
  }

  /** Undefined where the namespace is not known, or not yet. */
  labelsOf(name: string): Labels | undefined {
    return this.#labels.get(name);
  }
}

function isSame(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
