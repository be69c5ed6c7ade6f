// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import type { Credential } from "../../../../src/credentials/credential.js";
import {
  type Answer,
  json,
  oauthError,
  rejects,
  type SeenRequest,
  text,
  whenOpened,
} from "../../../support/fake-token-endpoint.js";
import { leaksIn } from "../../../support/secrecy.js";
import { secret, setUp, token } from "./harness.js";

const secrets = [secret, token];
const basic = clientSecret(secret);
const post = clientSecret(secret, { method: "client_secret_post" });
const isJson = { "content-type": "application/json" };

const quoting = (part: (request: SeenRequest) => string | null, code = "invalid_request", status = 400): Answer => {
  return (request) => oauthError(code, { status, description: `rejected: ${part(request)}` })(request);
};
const sentForm = ({ form }: SeenRequest): string => form.toString();
const sentToken = ({ form }: SeenRequest): string | null => form.get("token");
const authorization = ({ headers }: SeenRequest): string | null => headers.get("authorization");

it.each<[string, Answer, Credential]>([
  ["a description that quotes the token", quoting(sentToken), basic],
  ["a description that quotes the form", quoting(sentForm), post],
  ["a description that quotes the header", quoting(authorization, "invalid_client", 401), basic],
  ["a description that quotes a part of the token", quoting(() => token.slice(4, 20)), basic],
  ["a token across the end of the description", quoting(() => "y".repeat(180) + token), basic],
  ["an error that is the token", oauthError(token), basic],
  ["an error that is the secret", oauthError(secret.slice(0, 20)), basic],
  ["a challenge that quotes the token", text(401, "", { "www-authenticate": `Basic realm="${token}"` }), basic],
  ["an answer that is the token", text(200, token, isJson), basic],
  ["an answer that has the token in it, and is none", json(200, { active: "true", token, secret }), basic],
  ["an answer that has the token in it, with HTTP 500", json(500, { active: true, token, secret }), basic],
  [
    "an answer that has the token in it, by another name",
    json(200, { active: true, token }, { "content-type": "a/b" }),
    basic,
  ],
  ["a network error that quotes the request", rejects(new TypeError(`fetch failed: token=${token}&${secret}`)), basic],
  ["a network error with the request in its cause", rejects(new TypeError("x", { cause: { token, secret } })), basic],
  ["a network error with a code that is the token", rejects(Object.assign(new Error("x"), { code: token })), basic],
  ["an inactive token", json(200, { active: false, token, secret }), basic],
])("nothing shows a token or a secret after %s", async (_, answer, credential) => {
  const { server, introspector, refusal, events } = setUp({ credential });
  server.answer(answer, answer);
  const verdict = introspector.introspect(token);
  expect(leaksIn(verdict, secrets)).toEqual([]);
  expect(leaksIn(await verdict, secrets)).toEqual([]);
  expect(leaksIn(await refusal(), secrets)).toEqual([]);
  expect(leaksIn(events, secrets)).toEqual([]);
  expect(leaksIn(introspector, secrets)).toEqual([]);
});

it("nothing shows a token or a secret while and after a token is introspected", async () => {
  const { server, introspector, events, ask } = setUp();
  const slow = whenOpened(json(200, { active: true, sub: "order-service" }));
  server.answer(slow);
  const verdict = introspector.introspect(token);
  await server.seen(2);
  expect(leaksIn([verdict, introspector], secrets)).toEqual([]);
  slow.open();
  expect(leaksIn([await verdict, introspector, await ask(), events], secrets)).toEqual([]);
});
