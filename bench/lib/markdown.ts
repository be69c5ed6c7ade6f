// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A table in Markdown. Every column but the first is aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/**
 * Replaces what is between `<!-- begin NAME -->` and `<!-- end NAME -->`. Throws an Error unless both are there, in this
 * order.
 */
export function replaceSection(document: string, name: string, content: string): string {
  const begin = `<!-- begin ${name} -->`;
  const start = document.indexOf(begin);
  const end = document.indexOf(`<!-- end ${name} -->`, start);
  if (start === -1 || end === -1) throw new Error(`the document has no section ${name}`);
  return `${document.slice(0, start + begin.length)}\n\n${content.trim()}\n\n${document.slice(end)}`;
}
