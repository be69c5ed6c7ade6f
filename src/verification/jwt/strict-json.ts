// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** How deep objects and lists may lie in each other. */
const maxDepth = 32;

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const colon = 0x3a;

/**
 * What JSON.parse() lets pass in a text that it takes: a member name that occurs twice in one object, where parsers
 * disagree on which one counts (RFC 8259 §4, RFC 7519 §4), and nesting that is there to cost memory. `undefined` if there
 * is nothing.
 */
export function findJsonProblem(json: string): string | undefined {
  // The names of each object that is open; nothing for a list.
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case openBrace:
      case openBracket:
        if (open.length === maxDepth) return `nests deeper than ${maxDepth} levels`;
        open.push(json.charCodeAt(at) === openBrace ? new Set() : undefined);
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        break;
      case quote: {
        const end = endOfString(json, at);
        const names = open.at(-1);
        if (names !== undefined && isName(json, end)) {
          const name = unescapeName(json.slice(at, end + 1));
          if (names.has(name)) return "has a member twice";
          names.add(name);
        }
        at = end;
      }
    }
  }
  return undefined;
}

/** Where the string that begins at a quote ends. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const code = json.charCodeAt(at);
    if (code === quote) return at;
    at += code === backslash ? 2 : 1;
  }
}

function isName(json: string, end: number): boolean {
  let at = end + 1;
  while (json.charCodeAt(at) <= 0x20) at += 1;
  return json.charCodeAt(at) === colon;
}

// Two spellings of one name are one name: "exp", "\u0065xp".
function unescapeName(literal: string): string {
  return literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}
