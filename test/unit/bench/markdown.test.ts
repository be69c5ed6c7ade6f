// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { replaceSection, table } from "../../../bench/lib/markdown.js";

describe("table", () => {
  it("aligns every column but the first to the right", () => {
    expect(table(["who", "how many"], [["meshauth", "1"]])).toBe(
      "| who | how many |\n| --- | ---: |\n| meshauth | 1 |",
    );
  });
});

describe("replaceSection", () => {
  const document = "before\n<!-- begin a -->\nold\n<!-- end a -->\n<!-- begin ab -->\nkept\n<!-- end ab -->\n";

  it("replaces what is between the markers of this name, and nothing else", () => {
    expect(replaceSection(document, "a", "new\n")).toBe(
      "before\n<!-- begin a -->\n\nnew\n\n<!-- end a -->\n<!-- begin ab -->\nkept\n<!-- end ab -->\n",
    );
  });

  it("changes nothing the second time", () => {
    const once = replaceSection(document, "a", "new");
    expect(replaceSection(once, "a", "new")).toBe(once);
  });

  it("refuses a document without these markers, or with the end before the beginning", () => {
    expect(() => replaceSection(document, "b", "new")).toThrow("no section b");
    expect(() => replaceSection("<!-- end b --><!-- begin b -->", "b", "new")).toThrow("no section b");
  });
});
