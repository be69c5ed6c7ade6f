// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit, importing } from "./edits.js";

const evaluate = "src/rules/evaluate.ts";
const connect = "src/interceptors/connect-server.ts";
const servers = "test/attacks/lab/servers.ts";

/** What an RPC demands, and which RPC it is. */
export const ruleGuards: Readonly<Record<string, Guard>> = {
  scopes: edit(evaluate, ["required.filter((scope) => !caller.scopes.has(scope));", "required.filter(() => false);"]),
  callers: edit(evaluate, ["if (callers !== undefined && !callers.has(caller.clientId)) return callerNotAllowed;", ""]),
  // The routers are not ours; what they would do if they took paths less exactly is put in front of them.
  "exact-path": [
    importing(
      servers,
      'import { createGuardedServer } from "../../../src/interceptors/grpc-server.js";',
      'import { repair, routeLeniently } from "../naive/route.js";',
    ),
    ...edit(
      servers,
      ["    handler(request, response);", "    repair(request);\n    handler(request, response);"],
      ["addGrpcHandlers(grpcJs, observed);", "addGrpcHandlers(grpcJs, observed);\n  routeLeniently(grpcJs);"],
    ),
  ],
  "rule-by-method": [
    importing(
      connect,
      'import type { ResourceServer } from "../verification/resource-server.js";',
      'import { methodByUrl } from "../../test/attacks/naive/route.js";',
    ),
    ...edit(
      connect,
      [
        "const decision = resourceServer.authorize({\n      method,",
        "const decision = resourceServer.authorize({\n      method: methodByUrl(context.url, resourceServer.rules),",
      ],
      ["admitted?.by === resourceServer && admitted.rule.method === method", "admitted?.by === resourceServer"],
    ),
  ],
  "stream-expiry": ["src/interceptors/connect-stream.ts", "src/interceptors/grpc-server.ts"].flatMap((file) =>
    edit(file, ['rule.rule.onTokenExpiry === "keep"', "rule !== undefined"]),
  ),
  secrecy: edit("src/verification/verifier.ts", [
    'if ("reason" in result) return result;',
    'if ("reason" in result) return { ...result, cause: result.cause + token };',
  ]),
  audit: edit("src/verification/resource-server.ts", ["report?.({ call, rule, verdict, tokenCheck, refusal });", ""]),
};
