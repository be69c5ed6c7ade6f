// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../../services/authorization-server/server.js";
import type { Mesh } from "../../src/index.js";
import { readSnippets, snippetNamed } from "../support/markdown.js";

const root = new URL("../..", import.meta.url).pathname;
const audience = "https://payment-service.internal";

/** What the README's user has: one client that may charge, one that may not. */
const mesh: Mesh = {
  audiences: new Map([[audience, ["payments:write"]]]),
  clients: new Map([
    [
      "order-service",
      { clientId: "order-service", service: undefined, grants: new Map([[audience, ["payments:write"]]]) },
    ],
    ["intruder", { clientId: "intruder", service: undefined, grants: new Map() }],
  ]),
};

let project: string;
let authorizationServer: AuthorizationServer;
const servers: ChildProcess[] = [];

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "meshauth-package-"));
  const tarball = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], {
    cwd: root,
  });
  writeProject(tarball.toString().trim().split("\n").at(-1) ?? "");
  run("npm", ["install", "--no-audit", "--no-fund"]);
  authorizationServer = await startAuthorizationServer({ mesh, port: 0 });
});
afterAll(async () => {
  for (const server of servers) server.kill();
  await authorizationServer?.close();
  rmSync(project, { recursive: true, force: true });
});

function versionOf(name: string): string {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  return devDependencies[name] ?? "";
}

function writeProject(tarball: string): void {
  const others = ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"];
  const tools = ["@bufbuild/buf", "@bufbuild/protoc-gen-es", "@types/node", "typescript"];
  const versions = Object.fromEntries([...others, ...tools].map((name) => [name, versionOf(name)]));
  write("package.json", JSON.stringify({ type: "module", dependencies: { ...versions, meshauth: `file:${tarball}` } }));
  write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2023",
        strict: true,
        outDir: "dist",
        rootDir: "src",
        types: ["node"],
      },
      include: ["src"],
    }),
  );
  const [bufYaml = "", bufGenYaml = ""] = readSnippets("README.md")
    .filter(({ language }) => language === "yaml")
    .map(({ code }) => code);
  write("buf.yaml", bufYaml);
  write("buf.gen.yaml", bufGenYaml);
  write("proto/payment.proto", snippetNamed("README.md", "// payment.proto"));
}

function write(path: string, content: string): void {
  mkdirSync(join(project, path, ".."), { recursive: true });
  writeFileSync(join(project, path), content);
}

function run(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: project, stdio: "pipe", encoding: "utf8" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
}

const bin = (name: string): string => join("node_modules", ".bin", name);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

describe("the package, packed and installed in an empty project", () => {
  it("has what users need, and nothing of the example", () => {
    const files = readdirSync(join(project, "node_modules/meshauth"), { recursive: true }).map(String);
    expect(files).toEqual(
      expect.arrayContaining(["LICENSE", "README.md", "SECURITY.md", "proto/meshauth/v1/options.proto"]),
    );
    expect(
      files.filter((file) => /services|test\/|order_pb|payment_pb|inventory_pb|health_pb|reflection_pb/.test(file)),
    ).toEqual([]);
  });

  it("loads without packages that only other entries need", () => {
    const script = `
      await import("meshauth");
      await import("meshauth/gen/meshauth/v1/options_pb.js");
      for (const entry of ["grpc", "audit", "opentelemetry"]) {
        console.log(entry, await import("meshauth/" + entry).then(() => "loaded", (error) => error.message));
      }`;
    expect(run(process.execPath, ["--input-type=module", "--eval", script]).trim().split("\n")).toEqual([
      expect.stringMatching(/^grpc Cannot find package '@grpc\/grpc-js'/),
      expect.stringMatching(/^audit Cannot find package 'pino'/),
      expect.stringMatching(/^opentelemetry Cannot find package '@opentelemetry\/api'/),
    ]);
  });

  it("does not load openid-client before discovery runs", () => {
    const installed = join(project, "node_modules/openid-client");
    renameSync(installed, `${installed}-away`);
    try {
      run(process.execPath, ["--input-type=module", "--eval", 'await import("meshauth");']);
    } finally {
      renameSync(`${installed}-away`, installed);
    }
  });

  it("serves and refuses as the README says", async () => {
    run(bin("buf"), ["generate"]);
    const port = await freePort();
    const local = (code: string): string =>
      code
        .replaceAll("https://login.example.com", authorizationServer.issuer)
        .replaceAll("https://payments.internal", `http://127.0.0.1:${port}`)
        .replace(".listen(8080)", `.listen(${port}, "127.0.0.1", () => console.log("listening"))`);
    const client = local(snippetNamed("README.md", "// client.ts"));
    write("src/server.ts", local(snippetNamed("README.md", "// server.ts")));
    write("src/client.ts", client);
    write("src/intruder.ts", intruder(client));
    run(bin("tsc"), []);

    const server = spawn(process.execPath, ["dist/server.js"], { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
    servers.push(server);
    await once(server.stdout, "data");

    const allowed = spawnClient("dist/client.js", "order-service-secret");
    expect(await allowed).toBe("order-service: 1990\n");
    const refused = await spawnClient("dist/intruder.js", "intruder-secret");
    expect(refused).toBe(
      "7 the access token lacks a scope; needed: payments:write\n" +
        "SCOPE_INSUFFICIENT meshauth payments:write payments:write\n" +
        'Bearer error="insufficient_scope", scope="payments:write"\n',
    );
  });

  it("keeps the README's server within 15 lines and its client within 10", () => {
    const count = (name: string): number => snippetNamed("README.md", name).trim().split("\n").length - 1;
    expect(count("// server.ts")).toBeLessThanOrEqual(15);
    expect(count("// client.ts")).toBeLessThanOrEqual(10);
  });
});

/** The README's client as somebody who may not charge, telling what it sees. */
function intruder(client: string): string {
  return client
    .replace('"order-service"', '"intruder"')
    .replace("createConnectInterceptor({ tokenSource })", "bare")
    .replace("const interceptors", bareInterceptor)
    .replace(/console\.log\(.*\);/, tellRefusal);
}

// The interceptor would ask for the scope, and the authorization server would refuse: the intruder asks for less.
const bareInterceptor = `const bare: import("@connectrpc/connect").Interceptor = (next) => async (request) => {
  const token = await tokenSource.get({ audience: "${audience}", scopes: [] });
  request.header.set("authorization", token.authorization);
  return await next(request);
};
const interceptors`;

const tellRefusal = `
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "meshauth/gen/google/rpc/error_details_pb.js";
try {
  await createClient(PaymentService, transport).charge({ amountCents: 1990n });
} catch (error) {
  const refusal = ConnectError.from(error);
  console.log(refusal.code, refusal.rawMessage);
  const [info] = refusal.findDetails(ErrorInfoSchema);
  console.log(info?.reason, info?.domain, info?.metadata["required"], info?.metadata["missing"]);
  console.log(refusal.metadata.get("www-authenticate"));
}`;

async function spawnClient(script: string, secret: string): Promise<string> {
  const client = spawn(process.execPath, [script], {
    cwd: project,
    env: { ...process.env, CLIENT_SECRET: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  client.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  // An idle HTTP/2 connection would keep the client up for a while; what it had to say, it has said by then.
  await once(client, "exit");
  return output;
}
