// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Source } from "./source.js";

/** Options of a rotation. */
export interface RotationOptions<T> {
  /** What the source is known to say. */
  readonly initial?: T | undefined;
  /** Whether the one before the newest is tried. By default, true. */
  readonly keepsPrevious?: boolean;
}

/**
 * What a credential uses, while its source changes. The newest comes first; if that is refused, the one before it is
 * tried, and whichever is not refused stays in use.
 */
export class Rotation<T extends string | object> {
  readonly #source: Source<T>;
  readonly #keepsPrevious: boolean;
  /** What the source said last. */
  #newest: T | undefined;
  #current: T | undefined;
  /** What to try when that is refused. */
  #other: T | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;
  #nextIsUrgent = false;

  constructor(source: Source<T>, options: RotationOptions<T> = {}) {
    this.#source = source;
    this.#current = options.initial;
    this.#keepsPrevious = options.keepsPrevious ?? true;
  }

  /** What to use for the next token request. Throws what the source throws. */
  async use(): Promise<T> {
    await this.#look(false);
    return this.#current as T;
  }

  /**
   * After something was refused: whether use() gives something else now. Another request may have moved on already. By
   * default, what is in use now was refused.
   */
  async renew(refused: T | undefined = this.#current): Promise<boolean> {
    await this.#look(true);
    if (this.#current !== refused) return true;
    if (this.#other === undefined) return false;
    this.#put(this.#other, this.#current);
    return true;
  }

  /** Everything that requests on their way may carry. */
  known(): T[] {
    return [this.#current, this.#other].filter((value) => value !== undefined);
  }

  // Hundreds ask at a time. Whoever does needs a look at the source that begins afterwards, and can share it.
  #look(urgent: boolean): Promise<void> {
    this.#nextIsUrgent ||= urgent;
    this.#next ??= this.#running.then(() => {
      const look = this.#lookNow(this.#nextIsUrgent);
      this.#next = undefined;
      this.#nextIsUrgent = false;
      this.#running = look.catch(() => {});
      return look;
    });
    return this.#next;
  }

  async #lookNow(urgent: boolean): Promise<void> {
    const value = await this.#source.read(urgent);
    if (value === this.#newest) return;
    this.#newest = value;
    if (value === this.#current) return;
    this.#put(value, this.#current);
  }

  #put(current: T, other: T | undefined): void {
    this.#current = current;
    this.#other = this.#keepsPrevious ? other : undefined;
  }
}
