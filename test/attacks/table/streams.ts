// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, type Scene, stoppedBy } from "../attack.js";
import { good, mintWith, rs256, start } from "../lab/mint.js";
import { onStreams, type Way } from "../lab/ways.js";

const closes = stoppedBy("stream-expiry", "CWE-613, RFC 6749 §1.4", "TOKEN_EXPIRED");
const before = stoppedBy("scopes", "CWE-696", "SCOPE_INSUFFICIENT");
const tower = { service: "Watchtower", on: onStreams } as const;
const passes =
  (ms: number) =>
  async ({ world }: Scene): Promise<void> =>
    world.clock.run(ms);
const notJson = (way: Way): boolean => onStreams(way) && way.format === "proto";

export const streams: readonly Attack[] = [
  closes("a stream goes on when its token expires", () => good, { ...tower, during: passes(305_000) }),
  closes("a stream goes on a day after its token expired", () => good, { ...tower, during: passes(86_400_000) }),
  closes("a stream is opened with a token in its last second", () => mintWith({ exp: start + 1 }), {
    ...tower,
    during: passes(6_000),
  }),
  closes(
    "a stream is opened with a token that is past its exp, within the tolerance",
    () => mintWith({ exp: start - 4 }),
    {
      ...tower,
      during: passes(1_000),
    },
  ),
  closes("a stream is opened with a token that the server has seen before", () => good, {
    ...tower,
    before: async ({ call }) => void (await call(good)),
    during: passes(305_000),
  }),
  closes("a stream outlives its token while the keys are gone", () => good, {
    ...tower,
    during: async ({ world }) => {
      world.issuer.publish(rs256);
      await world.clock.run(305_000);
    },
  }),
  before("a stream is opened without the scope, and messages follow", () => mintWith({ scope: "other" }), {
    on: onStreams,
  }),
  before(
    "a stream is opened without the scope, and its first message is malformed",
    () => ({
      fields: [["authorization", `Bearer ${mintWith({ scope: "other" })}`]],
      message: Buffer.from([0x08, 0x96, 0x01]),
    }),
    { on: notJson },
  ),
  before(
    "a stream is opened without the scope, and no message follows",
    () => ({
      fields: [["authorization", `Bearer ${mintWith({ scope: "other" })}`]],
      claimedLength: 100,
    }),
    { on: onStreams },
  ),
];
