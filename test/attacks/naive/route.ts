// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import type { RuleSet } from "../../../src/rules/rule-set.js";
import { methods, vault } from "../lab/vault.js";

/** The RPC that a path could mean to somebody who means well. */
export function guessPath(path: string): string {
  const text = decodeURIComponent(decodeURIComponent(path)).toLowerCase();
  const kinds = ["read", "watch", "load", "sync"] as const;
  const kind = kinds.find((name) => text.includes(name)) ?? "read";
  return `/test.v1.Vault/${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}

interface Request {
  url?: string | undefined;
  method?: string | undefined;
  headers: Record<string, unknown>;
}

const methodsOfHttp = ["GET", "POST"];

/** Makes a request out of one that nobody asked for. */
export function repair(request: Request): void {
  const [path = "", query] = (request.url ?? "").split("?");
  if (!methods.some((method) => path === `/${method.parent.typeName}/${method.name}`)) {
    request.url = query === undefined ? guessPath(path) : `${guessPath(path)}?${query}`;
  }
  if (!methodsOfHttp.includes(request.method ?? "")) request.method = "POST";
  const type = String(request.headers["content-type"]);
  if (type === "text/plain" || path.endsWith("/Read")) {
    if (type === "text/plain" || type.startsWith("application/connect")) {
      request.headers["content-type"] = "application/proto";
    }
  }
}

/** Lets a grpc-js server find handlers by paths that are nearly theirs. */
export function routeLeniently(server: object): void {
  const router = server as { _retrieveHandler: (path: string) => unknown };
  const find = router._retrieveHandler.bind(server);
  router._retrieveHandler = (path) => find(path) ?? find(guessPath(path));
}

/** The method whose rule a URL's text leads to; one that is public if it leads nowhere (CVE-2026-33186). */
export function methodByUrl(url: string, rules: RuleSet): DescMethod {
  const { pathname, search } = new URL(url, "http://vault");
  const found = rules.all.find(({ rpc }) => `/${rpc}` === `${pathname}${search}`)?.method;
  const [open] = vault.Lobby.methods;
  if (open === undefined) throw new Error("no public RPC");
  return found ?? open;
}
