/**
 * Terms by number, so that postings are small integers and an index loads without reading text. Numbers are given once
 * and kept in the store. Invariant: what is in memory is in the store or in the transaction under way; a transaction
 * that fails takes its new terms back. Terms of deleted documents stay until the file is made anew.
 */
import { TuttiError } from '@tutti/contracts';
import { TERMS_MAX } from '../core/lexical-index.ts';
import type { Store } from './store.ts';

export class Vocabulary {
  readonly #numbers = new Map<string, number>();
  #uncommitted: string[] = [];

  load(store: Store): void {
    this.#numbers.clear();
    for (const [term, number] of store.terms()) this.#numbers.set(term, number);
  }

  find(term: string): number | undefined {
    return this.#numbers.get(term);
  }

  /** Within a transaction of the store. */
  numberOf(store: Store, term: string): number {
    const known = this.#numbers.get(term);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    if (number >= TERMS_MAX) throw new TuttiError('limit_exceeded', `an index knows at most ${TERMS_MAX} terms`);
    store.addTerm(term, number);
    this.#numbers.set(term, number);
    this.#uncommitted.push(term);
    return number;
  }

  committed(): void {
    this.#uncommitted = [];
  }
  rolledBack(): void {
    for (const term of this.#uncommitted) this.#numbers.delete(term);
    this.#uncommitted = [];
  }
}
