// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ConnectRouter, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import express from "express";
import { fastify } from "fastify";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import {
  type AuthorizationServer,
  developmentSecret,
  startAuthorizationServer,
} from "../../services/authorization-server/server.js";
import { readExampleMesh, services } from "../../services/shared/example-mesh.js";
import { createAuditLog } from "../../src/audit.js";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import {
  clientSecret,
  createResourceServer,
  createTokenSource,
  getPrincipal,
  type ResourceServer,
} from "../../src/index.js";
import {
  type Adapter,
  type AdapterServer,
  adapters,
  allowedOrigin,
  listenExpress,
  listenFastify,
} from "../support/adapters.js";
import {
  connectStream,
  connectUnary,
  envelope,
  grpc,
  grpcWeb,
  openRequest,
  type Protocol,
  type RawResponse,
  type RequestHead,
} from "../support/raw-http.js";

/** Who got into handlers. */
const entered: string[] = [];
const audit: string[] = [];
const closers: (() => Promise<void>)[] = [];
const tokens = new Map<Rpc, string>();
let authorizationServer: AuthorizationServer;
let resourceServer: ResourceServer;

interface Rpc {
  readonly path: string;
  readonly caller: string;
  readonly audience: string;
  readonly scope: string;
}

const payments = { audience: "https://payment-service.internal" };
const inventory = { audience: "https://inventory-service.internal", caller: "order-service" };
const path = "/payment.v1.PaymentService";
const charge: Rpc = { ...payments, path: `${path}/Charge`, caller: "order-service", scope: "payments:write" };
const list: Rpc = { ...payments, path: `${path}/ListPayments`, caller: "back-office", scope: "payments:read" };
const imports: Rpc = { ...payments, path: `${path}/ImportSettlements`, caller: "back-office", scope: "payments:admin" };
const check: Rpc = { ...inventory, path: "/inventory.v1.InventoryService/CheckStock", scope: "inventory:read" };
const watch: Rpc = { ...inventory, path: "/inventory.v1.InventoryService/WatchStock", scope: "inventory:read" };

beforeAll(async () => {
  authorizationServer = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0 });
  closers.push(() => authorizationServer.close());
  resourceServer = createResourceServer({
    services,
    issuer: authorizationServer.issuer,
    onDecision: createAuditLog({ destination: { write: (line) => void audit.push(line) } }),
  });
  await resourceServer.ready();
  for (const rpc of [charge, list, imports, check, watch]) tokens.set(rpc, await requestToken(rpc));
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});
beforeEach(() => {
  entered.length = 0;
  audit.length = 0;
});

async function requestToken({ caller, audience, scope }: Rpc): Promise<string> {
  const source = createTokenSource({
    issuer: authorizationServer.issuer,
    clientId: caller,
    credential: clientSecret(developmentSecret(caller)),
  });
  return (await source.get({ audience, scopes: [scope] })).authorization;
}

/** The `authorization` of somebody who may call an RPC. */
function authorize(rpc: Rpc): string {
  return tokens.get(rpc) ?? "";
}

function routes(router: ConnectRouter): void {
  router.rpc(PaymentService.method.charge, (_request, context) => enter(getPrincipal(context).clientId));
  router.rpc(PaymentService.method.listPayments, (_request, context) => enter(getPrincipal(context).clientId));
  router.rpc(PaymentService.method.importSettlements, async (requests, context) => {
    for await (const _ of requests);
    return enter(getPrincipal(context).clientId);
  });
  router.rpc(InventoryService.method.checkStock, (_request, context) => enter(getPrincipal(context).clientId));
  router.rpc(InventoryService.method.watchStock, async function* (_request, context) {
    yield enter(getPrincipal(context).clientId);
  });
}

function enter(caller: string): object {
  entered.push(caller);
  return {};
}

type Head = Partial<Omit<RequestHead, "port" | "version">> & { readonly authorization?: string | string[] };

const missing = { code: "Unauthenticated", reason: "CREDENTIALS_MISSING", challenge: "Bearer" };
const invalid = { code: "Unauthenticated", reason: "TOKEN_INVALID", challenge: 'Bearer error="invalid_token"' };
const ok = { code: "Ok", reason: undefined, challenge: undefined };

describe.each(adapters)("a guarded server behind $name", ({ name, version, start }: Adapter) => {
  let plain: AdapterServer;
  let withCors: AdapterServer;
  beforeAll(async () => {
    plain = await start({ resourceServer, routes, cors: false });
    closers.push(plain.close);
    withCors = await start({ resourceServer, routes, cors: true });
    closers.push(withCors.close);
  });

  function open(port: number, protocol: Protocol, rpc: Rpc, { authorization, headers, ...head }: Head) {
    const more = authorization === undefined ? {} : { authorization };
    const type = head.method === "GET" ? {} : { "content-type": protocol.contentTypes.json, te: "trailers" };
    return openRequest({ version, port, path: rpc.path, ...head, headers: { ...type, ...headers, ...more } });
  }

  async function send(port: number, protocol: Protocol, rpc: Rpc, head: Head = {}, json = "{}"): Promise<RawResponse> {
    const { body, response } = open(port, protocol, rpc, head);
    const message = Buffer.from(json);
    body.end(head.method === undefined ? (protocol.enveloped ? envelope(message) : message) : undefined);
    return await response;
  }

  const gets: Head = { method: "GET", path: `${check.path}?connect=v1&encoding=json&message=%7B%7D` };
  const ways: { name: string; protocol: Protocol; rpc: Rpc; head?: Head }[] = [
    { name: "Connect unary", protocol: connectUnary, rpc: charge },
    { name: "Connect GET", protocol: connectUnary, rpc: check, head: gets },
    { name: "Connect client stream", protocol: connectStream, rpc: imports },
    { name: "Connect server stream", protocol: connectStream, rpc: watch },
    { name: "gRPC-Web unary", protocol: grpcWeb, rpc: charge },
    { name: "gRPC-Web server stream", protocol: grpcWeb, rpc: watch },
    { name: "gRPC unary", protocol: grpc, rpc: charge },
    { name: "gRPC client stream", protocol: grpc, rpc: imports },
    { name: "gRPC server stream", protocol: grpc, rpc: watch },
  ].filter(({ protocol }) => protocol !== grpc || version === "HTTP/2");

  describe.each(ways)("$name", ({ protocol, rpc, head = {} }) => {
    it("lets in who may call, and tells the handler who it is", async () => {
      const response = await send(plain.port, protocol, rpc, { ...head, authorization: authorize(rpc) });
      expect(protocol.read(response)).toEqual(ok);
      expect(entered).toEqual([rpc.caller]);
    });

    it("refuses who has no token", async () => {
      expect(protocol.read(await send(plain.port, protocol, rpc, head))).toEqual(missing);
      expect(entered).toEqual([]);
    });

    it("refuses who has the token for something else", async () => {
      const other = rpc.audience === charge.audience ? list : charge;
      const answer = protocol.read(await send(plain.port, protocol, rpc, { ...head, authorization: authorize(other) }));
      const lacksScope = rpc.audience === other.audience;
      expect(answer.reason).toBe(lacksScope ? "SCOPE_INSUFFICIENT" : "TOKEN_INVALID");
      expect(entered).toEqual([]);
    });

    it.each(["first", "second"])("refuses two authorization lines, the %s of which is good", async (which) => {
      const lines = which === "first" ? [authorize(rpc), "Bearer other"] : ["Bearer other", authorize(rpc)];
      const answer = protocol.read(await send(plain.port, protocol, rpc, { ...head, authorization: lines }));
      expect(answer).toEqual(invalid);
      expect(entered).toEqual([]);
    });

    it("gives nothing of a token to the audit log", async () => {
      await send(plain.port, protocol, rpc, { ...head, authorization: authorize(rpc) });
      await send(plain.port, protocol, rpc, { ...head, authorization: [authorize(rpc), "Bearer second-one"] });
      expect(audit.map((line) => (JSON.parse(line) as { decision: string }).decision)).toEqual(["allow", "refuse"]);
      for (const part of authorize(rpc).slice("Bearer ".length).split(".")) expect(audit.join()).not.toContain(part);
      expect(audit.join()).not.toContain("second-one");
    });
  });

  const withBody = ways.filter(({ head }) => head === undefined);
  it.each(withBody)("refuses before it reads the body, or waits for it: $name", async ({ protocol, rpc }) => {
    const { response } = open(plain.port, protocol, rpc, { headers: { "content-length": "1000" } });
    expect(protocol.read(await response)).toEqual(missing);
    expect(entered).toEqual([]);
  });

  it.each(withBody)("does not tell who has no token what the message should be: $name", async ({ protocol, rpc }) => {
    const response = await send(plain.port, protocol, rpc, {}, '{"skus": 7, "amount": false, "name": []}');
    expect(protocol.read(response)).toEqual(missing);
    expect(response.body.toString()).not.toMatch(/skus|amount|decode/);
  });

  it("leaves other routes alone", async () => {
    for (const { port } of [plain, withCors]) {
      const { body, response } = openRequest({ version, port, method: "GET", path: "/about", headers: {} });
      body.end();
      const { status, body: answer } = await response;
      expect([status, answer.toString()]).toEqual([200, "about"]);
    }
    expect(audit).toEqual([]);
  });

  it.each(["/payment.v1.PaymentService/Steal", `${charge.path}/`, `/${charge.path}`, charge.path.toLowerCase()])(
    "serves nothing at %s",
    async (odd) => {
      const { status } = await send(plain.port, connectUnary, charge, { path: odd, authorization: authorize(charge) });
      expect(status).toBe(404);
      expect(entered).toEqual([]);
    },
  );

  describe("to scripts of another origin", () => {
    const preflight: Head = {
      method: "OPTIONS",
      headers: {
        origin: allowedOrigin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,connect-protocol-version",
      },
    };
    const crossOrigin = { headers: { origin: allowedOrigin } };

    it("answers the preflight where CORS is configured, and enters no RPC", async () => {
      const { status, headers } = await send(withCors.port, connectUnary, charge, preflight);
      expect(status).toBe(204);
      expect(headers["access-control-allow-origin"]).toBe(allowedOrigin);
      expect(headers["access-control-allow-headers"]?.toLowerCase().split(/, */)).toContain("authorization");
      expect(entered).toEqual([]);
      expect(audit).toEqual([]);
    });

    it("answers no preflight where CORS is not configured, not even with a token", async () => {
      for (const authorization of [undefined, authorize(charge)]) {
        const head = authorization === undefined ? preflight : { ...preflight, authorization };
        const { status, headers } = await send(plain.port, connectUnary, charge, head);
        expect(status).toBe(405);
        expect(headers).not.toHaveProperty("access-control-allow-origin");
      }
      expect(entered).toEqual([]);
    });

    it("demands the token of a GET, although a preflight is not needed for it", async () => {
      const response = await send(withCors.port, connectUnary, check, { ...gets, ...crossOrigin });
      expect(connectUnary.read(response)).toEqual(missing);
      expect(entered).toEqual([]);
      const good = { ...gets, ...crossOrigin, authorization: authorize(check) };
      expect(connectUnary.read(await send(withCors.port, connectUnary, check, good))).toEqual(ok);
    });

    it.each(ways)("lets a script read why it is refused: $name", async ({ protocol, rpc, head }) => {
      const response = await send(withCors.port, protocol, rpc, { ...head, ...crossOrigin });
      expect(protocol.read(response)).toEqual(missing);
      expect(response.headers["access-control-allow-origin"]).toBe(allowedOrigin);
      const exposed = response.headers["access-control-expose-headers"]?.toLowerCase().split(/, */);
      expect(exposed).toEqual(expect.arrayContaining(["www-authenticate", "grpc-status", "grpc-status-details-bin"]));
    });
  });

  it(`is called by clients of connect-node: ${name}`, async () => {
    const baseUrl = `http://127.0.0.1:${plain.port}`;
    const transport = createConnectTransport({ baseUrl, httpVersion: version === "HTTP/2" ? "2" : "1.1" });
    const headers = { authorization: authorize(watch) };
    const client = createClient(InventoryService, transport);
    const received: unknown[] = [];
    for await (const message of client.watchStock({ sku: "tea-green" }, { headers })) received.push(message);
    expect(received).toHaveLength(1);
    expect(entered).toEqual(["order-service"]);
  });
});

describe("Express with middleware in front of the guarded RPCs", () => {
  async function startExpress(prepare: (app: express.Express) => express.Express, mountedAt = "/"): Promise<number> {
    const server = await listenExpress({ resourceServer, routes, cors: false }, prepare, mountedAt);
    onTestFinished(server.close);
    return server.port;
  }

  async function post(port: number, path: string, body: string, authorization?: string): Promise<RawResponse> {
    const headers = { "content-type": "application/json", ...(authorization !== undefined && { authorization }) };
    const request = openRequest({ version: "HTTP/1.1", port, path, headers });
    request.body.end(body);
    return await request.response;
  }

  const parsers = [
    { name: "express.json()", prepare: (app: express.Express) => app.use(express.json()) },
    {
      name: "every parser of Express",
      prepare: (app: express.Express) =>
        app.use(express.json(), express.urlencoded(), express.text({ type: "*/*" }), express.raw({ type: "*/*" })),
    },
  ];
  describe.each(parsers)("$name", ({ prepare }) => {
    it("lets in who may call, with the parsed message", async () => {
      const response = await post(await startExpress(prepare), charge.path, '{"order": "a"}', authorize(charge));
      expect(connectUnary.read(response)).toEqual(ok);
      expect(entered).toEqual(["order-service"]);
    });

    it.each(["{}", "", "[]", '{"order": 7}', '{"__proto__": {"authorization": "Bearer x"}}'])(
      "refuses who has no token: %s",
      async (body) => {
        const response = await post(await startExpress(prepare), charge.path, body);
        expect(connectUnary.read(response)).toEqual(missing);
        expect(entered).toEqual([]);
      },
    );

    it("refuses who has the token for another RPC", async () => {
      const response = await post(await startExpress(prepare), charge.path, "{}", authorize(list));
      expect(connectUnary.read(response).reason).toBe("SCOPE_INSUFFICIENT");
      expect(entered).toEqual([]);
    });

    it("answers what is no JSON itself, before it is a call", async () => {
      const response = await post(await startExpress(prepare), charge.path, "{", authorize(charge));
      expect(response.status).toBe(400);
      expect(audit).toEqual([]);
      expect(entered).toEqual([]);
    });
  });

  it("refuses streams behind express.json(), which leaves their bodies alone", async () => {
    const port = await startExpress((app) => app.use(express.json()));
    const headers = { "content-type": connectStream.contentTypes.json };
    const { body, response } = openRequest({ version: "HTTP/1.1", port, path: watch.path, headers });
    body.end(envelope(Buffer.from("{}")));
    expect(connectStream.read(await response)).toEqual(missing);
    expect(entered).toEqual([]);
  });

  it("guards RPCs that are mounted below a path", async () => {
    const port = await startExpress((app) => app, "/api");
    expect(connectUnary.read(await post(port, `/api${charge.path}`, "{}"))).toEqual(missing);
    expect(connectUnary.read(await post(port, `/api${charge.path}`, "{}", authorize(charge)))).toEqual(ok);
    expect((await post(port, charge.path, "{}", authorize(charge))).status).toBe(404);
    expect(entered).toEqual(["order-service"]);
  });
});

describe("Fastify that is lenient about paths", () => {
  const lenient = { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true };
  const spellings = [charge.path.toUpperCase(), charge.path.toLowerCase(), `${charge.path}/`, `//${charge.path}`];

  it.each(spellings)("decides by the RPC that is called, not by the path: %s", async (path) => {
    const server = await listenFastify({ resourceServer, routes, cors: false }, fastify({ routerOptions: lenient }));
    onTestFinished(server.close);
    const reasonFor = async (authorization: string | undefined): Promise<string | undefined> => {
      const headers = { "content-type": "application/json", ...(authorization !== undefined && { authorization }) };
      const { body, response } = openRequest({ version: "HTTP/1.1", port: server.port, path, headers });
      body.end("{}");
      return connectUnary.read(await response).reason;
    };
    expect(await reasonFor(undefined)).toBe("CREDENTIALS_MISSING");
    expect(await reasonFor(authorize(list))).toBe("SCOPE_INSUFFICIENT");
    expect(entered).toEqual([]);
    expect(await reasonFor(authorize(charge))).toBeUndefined();
    expect(entered).toEqual(["order-service"]);
    const rpcs = audit.map((line) => (JSON.parse(line) as { rpc: string }).rpc);
    expect(new Set(rpcs)).toEqual(new Set(["payment.v1.PaymentService/Charge"]));
  });
});
