/**
 * Which pods are alike. A pod's labels decide nothing by themselves, so pods that differ in no other label than those
 * that something names are of one kind: thousands of an Indexed Job, each with its index as a label, are one queue and
 * not thousands. What names labels is the policy, Paceline itself, and rules about other pods.
 */
import type { PodFacts, PodShape } from "../facts.ts";

/** Label keys that rules can name; more tell no pods apart. A tenant may write any. Assumed: more than clusters use. */
const MOST_NAMED = 10_000;

export class Kinds {
  /** Label keys that tell all pods apart. */
  #kept: ReadonlySet<string> = new Set();
  /** Keys that some pod's rules name: they decide where pods with rules may go. */
  readonly #named = new Set<string>();
  #reduced = new WeakMap<PodShape, PodShape>();
  readonly #known = new Map<string, WeakRef<PodShape>>();
  readonly #gone = new FinalizationRegistry<string>((content) => {
    if (this.#known.get(content)?.deref() === undefined) this.#known.delete(content);
  });

  /** True if pods that were given a kind before may be of another one now. */
  keep(keys: ReadonlySet<string>): boolean {
    const isSame = keys.size === this.#kept.size && [...keys].every((key) => this.#kept.has(key));
    this.#kept = keys;
    if (!isSame) this.#reduced = new WeakMap();
    return !isSame;
  }

  /**
   * Takes note of the label keys that the pod's rules name. Returns those that none has named before: pods that carry
   * them may be of another kind now.
   */
  note({ podRules }: PodShape): readonly string[] {
    const fresh = (podRules?.labels ?? []).filter((key) => !this.#named.has(key));
    if (fresh.length === 0 || this.#named.size + fresh.length > MOST_NAMED) return [];
    for (const key of fresh) this.#named.add(key);
    this.#reduced = new WeakMap();
    return fresh;
  }

  /** The pod, with the shape that it shares with all of its kind. */
  of(pod: PodFacts): PodFacts {
    const given = pod.givenShape ?? pod.shape;
    const shape = this.#shapeOf(given);
    return shape === pod.shape ? pod : { ...pod, shape, givenShape: given };
  }

  #shapeOf(given: PodShape): PodShape {
    const known = this.#reduced.get(given);
    if (known) return known;
    const shape = this.#reduce(given);
    this.#reduced.set(given, shape);
    return shape;
  }

  #reduce(given: PodShape): PodShape {
    const all = Object.entries(given.labels);
    const decisive = all.filter(([key]) => this.#decides(key, given));
    if (decisive.length === all.length) return given;
    const shape = { ...given, labels: Object.fromEntries(decisive) };
    const content = JSON.stringify(shape);
    const shared = this.#known.get(content)?.deref();
    if (shared) return shared;
    this.#known.set(content, new WeakRef(shape));
    this.#gone.register(shape, content);
    return shape;
  }

  #decides(key: string, { interPodRules, podRules }: PodShape): boolean {
    return this.#kept.has(key) || (interPodRules && (this.#named.has(key) || podRules?.labels.includes(key) === true));
  }
}
