// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Rotation } from "../../../src/credentials/rotation.js";
import type { Source } from "../../../src/credentials/source.js";

interface FakeSource extends Source<string> {
  value: string;
  /** What has been refused when it was read. */
  urgent: string | undefined;
  reads: number;
}

function createSource(value: string): FakeSource {
  return {
    value,
    urgent: undefined,
    reads: 0,
    async read(urgent) {
      this.reads += 1;
      const { value: read } = this;
      await new Promise((resolve) => setImmediate(resolve));
      return urgent ? (this.urgent ?? read) : read;
    },
  };
}

describe("a rotation", () => {
  it("uses what its source says", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    expect(await rotation.use()).toBe("one");
    source.value = "two";
    expect(await rotation.use()).toBe("two");
  });

  it("has nothing else to use as long as nothing was rotated", async () => {
    const rotation = new Rotation(createSource("one"));
    expect(await rotation.renew(await rotation.use())).toBe(false);
    expect(await rotation.use()).toBe("one");
  });

  it("tries the old one when the new one is refused, and stays with it", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "two";
    expect(await rotation.renew(await rotation.use())).toBe(true);
    expect(await rotation.use()).toBe("one");
    expect(await rotation.use()).toBe("one");
  });

  it("goes to the new one when the old one is refused in the end", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "two";
    await rotation.renew(await rotation.use());
    expect(await rotation.renew(await rotation.use())).toBe(true);
    expect(await rotation.use()).toBe("two");
  });

  it("reads its source again when the old one is refused", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    const refused = await rotation.use();
    source.urgent = "two";
    expect(await rotation.renew(refused)).toBe(true);
    source.value = "two";
    expect(await rotation.use()).toBe("two");
  });

  it("does not go back when many requests were refused with the same one", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "two";
    const refused = await Promise.all(Array.from({ length: 100 }, () => rotation.use()));
    expect(new Set(refused)).toEqual(new Set(["two"]));
    for (const each of refused) {
      expect(await rotation.renew(each)).toBe(true);
      expect(await rotation.use()).toBe("one");
    }
  });

  it("does not go back when a request was refused with something that nobody uses any more", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    const refused = await rotation.use();
    source.value = "two";
    await rotation.use();
    source.value = "three";
    await rotation.use();
    expect(await rotation.renew(refused)).toBe(true);
    expect(await rotation.use()).toBe("three");
  });

  it("remembers the one that worked, not the one that was never accepted", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "half";
    await rotation.renew(await rotation.use());
    source.value = "two";
    expect(await rotation.renew(await rotation.use())).toBe(true);
    expect(await rotation.use()).toBe("one");
  });

  it("follows its source back", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "two";
    await rotation.use();
    source.value = "one";
    expect(await rotation.use()).toBe("one");
    expect(rotation.known()).toEqual(["one", "two"]);
  });

  it("still has the other one when its source goes back to the one in use", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    source.value = "two";
    await rotation.renew(await rotation.use());
    source.value = "one";
    expect(await rotation.use()).toBe("one");
    expect(rotation.known()).toEqual(["one", "two"]);
  });

  it("is in a hurry once for each refusal", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    const refused = await rotation.use();
    source.urgent = "two";
    await rotation.renew(refused);
    source.urgent = "three";
    await rotation.use();
    expect(rotation.known()).not.toContain("three");
  });

  it("takes the one in use for the refused one when nobody says", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    await rotation.use();
    expect(await rotation.renew()).toBe(false);
    source.value = "two";
    expect(await rotation.renew()).toBe(true);
    expect(await rotation.use()).toBe("two");
    expect(await rotation.renew()).toBe(true);
    expect(await rotation.use()).toBe("one");
  });

  it("does without the old one if told so", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source, { keepsPrevious: false });
    await rotation.use();
    source.value = "two";
    expect(await rotation.renew(await rotation.use())).toBe(false);
    expect(rotation.known()).toEqual(["two"]);
  });

  it("knows what it was told, before it is used", () => {
    expect(new Rotation(createSource("one")).known()).toEqual([]);
    expect(new Rotation(createSource("one"), { initial: "one" }).known()).toEqual(["one"]);
  });

  it("reads its source once for many who ask while it is read, and never for one who asked after that began", async () => {
    const source = createSource("one");
    const rotation = new Rotation(source);
    const first = rotation.use();
    await Promise.resolve();
    source.value = "two";
    const others = Array.from({ length: 100 }, () => rotation.use());
    await first;
    expect(new Set(await Promise.all(others))).toEqual(new Set(["two"]));
    expect(source.reads).toBe(2);
  });

  it("never reads its source twice at a time", async () => {
    let reading = 0;
    let most = 0;
    const rotation = new Rotation<string>({
      async read() {
        reading += 1;
        most = Math.max(most, reading);
        await new Promise((resolve) => setImmediate(resolve));
        reading -= 1;
        return "one";
      },
    });
    const first = rotation.use();
    await Promise.resolve();
    await Promise.all([first, rotation.use(), rotation.renew("two")]);
    expect(most).toBe(1);
  });

  it("fails as its source does, and goes on when that does", async () => {
    const source = createSource("one");
    const read = source.read;
    source.read = async () => {
      throw new Error("gone");
    };
    const rotation = new Rotation(source);
    await expect(Promise.all([rotation.use(), rotation.use()])).rejects.toThrow("gone");
    source.read = read;
    expect(await rotation.use()).toBe("one");
  });
});
