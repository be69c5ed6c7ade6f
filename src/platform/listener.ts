// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * Makes a listener of a user harmless: one that throws, whatever it throws, or that returns a promise which rejects, costs
 * no call and does not end the process. It becomes a warning of the process, named by the option that it came from.
 */
export function createHarmlessListener<E>(
  listener: (event: E) => unknown,
  option: string,
  code: string,
): (event: E) => void {
  const warn = (error: unknown): void => {
    const message = error instanceof Error ? error.message : "something that is no Error";
    process.emitWarning(`${option} threw: ${message}`, { code });
  };
  return (event) => {
    try {
      const result = listener(event);
      if (result instanceof Promise) result.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}
