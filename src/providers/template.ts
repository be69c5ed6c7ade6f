// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Provider } from "./provider.js";

const placeholders = /\{(audience|scope)\}/g;

/** What the placeholders of a template stand for. */
export interface TemplateValues {
  readonly audience: string;
  readonly scope?: string | undefined;
}

/** Fills a template. Placeholders inside of values stay as they are. */
export function expand(template: string, values: TemplateValues): string {
  return template.replace(placeholders, (placeholder, name: keyof TemplateValues) => values[name] ?? placeholder);
}

/** Whether a request asks for scopes by their names, rather than for whatever the client was assigned. */
export function asksByName({ scopeFormat }: Provider): boolean {
  return scopeFormat.includes("{scope}");
}

/** What asks for these scopes, as the provider spells it. */
export function spellScopes(provider: Provider, audience: string, scopes: readonly string[]): readonly string[] {
  const { scopeFormat } = provider;
  return asksByName(provider)
    ? scopes.map((scope) => expand(scopeFormat, { audience, scope }))
    : [expand(scopeFormat, { audience })];
}
