// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { developmentSecret } from "../../services/authorization-server/server.js";
import { type MeshConfig, readConfig } from "../../services/config.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { describeStartupError, StartupError } from "../../services/startup-error.js";
import { DiscoveryError, RuleError } from "../../src/index.js";
import { connectRaw } from "../support/raw-http.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mesh = readExampleMesh();
const clientIds = [...mesh.clients.keys()];
const timeout = 30_000;

const portVariables = ["AUTHORIZATION_SERVER_PORT", "ORDER_PORT", "PAYMENT_PORT", "INVENTORY_PORT"] as const;
const freePorts: Environment = Object.fromEntries(portVariables.map((name) => [name, "0"]));
const secretVariables = [
  "ORDER_SERVICE_CLIENT_SECRET",
  "PAYMENT_SERVICE_CLIENT_SECRET",
  "INVENTORY_SERVICE_CLIENT_SECRET",
  "STOREFRONT_CLIENT_SECRET",
  "BACK_OFFICE_CLIENT_SECRET",
  "INTRUDER_CLIENT_SECRET",
] as const;
const secrets: Environment = Object.fromEntries(secretVariables.map((name, index) => [name, `hidden-${index}`]));

type Environment = Readonly<Record<string, string>>;

interface Running {
  readonly child: ChildProcess;
  /** Waits until so much is on stdout. */
  printed(text: string): Promise<string>;
  readonly ended: Promise<Ended>;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** The lines of stderr, without the one that oidc-provider prints on versions of node that it does not support. */
  readonly complaints: readonly string[];
}

function startMain(environment: Environment, args: readonly string[] = []): Running {
  const child = spawn(process.execPath, ["--import", "tsx", "services/main.ts", ...args], {
    cwd: root,
    // Nothing of the environment of the tests but what it takes to run.
    env: { PATH: process.env["PATH"], ...freePorts, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let isClosed = false;
  const closed = once(child, "close").then(([code, signal]) => {
    isClosed = true;
    return { code, signal };
  });
  return {
    child,
    async printed(text) {
      while (!stdout.includes(text)) {
        if (isClosed) throw new Error(`it ended: ${stderr}`);
        await Promise.race([once(child.stdout, "data"), closed]);
      }
      return stdout;
    },
    ended: closed.then(({ code, signal }) => ({
      code,
      signal,
      stdout,
      complaints: stderr
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("oidc-provider WARNING: Unsupported runtime.")),
    })),
  };
}

/** What a start says that fails as it should: one line, and nothing else. */
async function refusalToStart(environment: Environment, args: readonly string[] = []): Promise<string> {
  const { code, stdout, complaints } = await startMain(environment, args).ended;
  expect({ code, stdout, lines: complaints.length }, complaints.join("\n")).toEqual({ code: 1, stdout: "", lines: 1 });
  return complaints[0] ?? "";
}

/** Listens on a free port of this machine until the test is over. */
async function occupyPort(handler: http.RequestListener = () => {}): Promise<number> {
  const server = http.createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An authorization server that describes itself with this metadata. */
async function startDescribing(describe: (url: string) => unknown): Promise<string> {
  const port = await occupyPort((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(describe(`http://${request.headers.host}`)));
  });
  return `http://127.0.0.1:${port}`;
}

describe("a port that is in use", () => {
  it.each(portVariables)(
    "is named together with its variable: %s",
    async (variable) => {
      const port = await occupyPort();
      expect(await refusalToStart({ [variable]: String(port) })).toBe(
        `meshauth: port ${port} is in use; set ${variable} to another one`,
      );
    },
    timeout,
  );
});

describe("MESHAUTH_ISSUER", () => {
  it(
    "where nothing listens is named",
    async () => {
      const issuer = `http://127.0.0.1:${await freePort()}`;
      expect(await refusalToStart({ MESHAUTH_ISSUER: issuer, ...secrets })).toBe(
        `meshauth: ${issuer} cannot be reached (ECONNREFUSED)`,
      );
    },
    timeout,
  );

  it(
    "that is no URL is named",
    async () => {
      expect(await refusalToStart({ MESHAUTH_ISSUER: "localhost:9000", ...secrets })).toBe(
        'meshauth: issuer "localhost:9000" is not a URL; write it as the authorization server does',
      );
    },
    timeout,
  );

  it(
    "with plain http beyond loopback is refused",
    async () => {
      expect(await refusalToStart({ MESHAUTH_ISSUER: "http://login.example.com", ...secrets })).toBe(
        "meshauth: issuer http://login.example.com is plain http; that is allowed for loopback only",
      );
    },
    timeout,
  );

  it(
    "whose server calls itself another issuer is refused",
    async () => {
      const issuer = await startDescribing(() => ({
        issuer: "https://login.example.com",
        jwks_uri: "https://login.example.com/jwks",
      }));
      expect(await refusalToStart({ MESHAUTH_ISSUER: issuer, ...secrets })).toBe(
        `meshauth: discovery at ${issuer} describes another issuer`,
      );
    },
    timeout,
  );

  it(
    "whose server calls itself almost the same is refused, and both are named in one line",
    async () => {
      const issuer = await startDescribing((url) => ({ issuer: `${url}/`, jwks_uri: `${url}/jwks` }));
      // A line break at the end, as a secret's file easily has it.
      expect(await refusalToStart({ MESHAUTH_ISSUER: `${issuer}\n`, ...secrets })).toBe(
        `meshauth: the authorization server at ${issuer}\\n calls itself ${issuer}/; configure exactly that issuer`,
      );
    },
    timeout,
  );

  it(
    "needs the secret of every client, and all that are missing are named in one line",
    async () => {
      const line = await refusalToStart({ MESHAUTH_ISSUER: "https://login.example.com" });
      expect(line.match(/\w+(?= is missing)/g)).toEqual(secretVariables);
      expect(line).toMatch(/^meshauth: .*https:\/\/login\.example\.com needs it/);
    },
    timeout,
  );

  it(
    "refuses a development secret",
    async () => {
      const environment = { ...secrets, BACK_OFFICE_CLIENT_SECRET: developmentSecret("back-office") };
      const line = await refusalToStart({ MESHAUTH_ISSUER: "https://login.example.com", ...environment });
      expect(line).toBe("meshauth: BACK_OFFICE_CLIENT_SECRET is the development secret; it is refused beyond loopback");
    },
    timeout,
  );
});

describe("an argument that is unknown", () => {
  it(
    "is named",
    async () => {
      expect(await refusalToStart({}, ["--twice", "--once", "-h"])).toBe(
        "meshauth: unknown argument --twice -h; there is only --once",
      );
    },
    timeout,
  );
});

describe("a mesh that is up", () => {
  const upLine = "The mesh stays up; Ctrl-C ends it.";

  function portsIn(stdout: string): number[] {
    const [, ...ports] =
      /authorization server http:\/\/127\.0\.0\.1:(\d+)\n.*order http:\/\/127\.0\.0\.1:(\d+), payment http:\/\/127\.0\.0\.1:(\d+), inventory 127\.0\.0\.1:(\d+)\n/.exec(
        stdout,
      ) ?? [];
    expect(ports).toHaveLength(4);
    return ports.map(Number);
  }

  async function expectFree(ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      const server = net.createServer().listen(port, "127.0.0.1");
      await once(server, "listening");
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it(
    "ends with 0 on SIGTERM, and frees its ports",
    async () => {
      const { child, printed, ended } = startMain({});
      const ports = portsIn(await printed(upLine));
      child.kill("SIGTERM");
      expect(await ended).toMatchObject({ code: 0, signal: null, complaints: [] });
      await expectFree(ports);
    },
    timeout,
  );

  it(
    "ends with 0 on SIGINT while others are connected, and frees its ports",
    async () => {
      const { child, printed, ended } = startMain({});
      const ports = portsIn(await printed(upLine));
      const connections = await Promise.all(ports.map(connectRaw));
      for (const { socket } of connections) socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      child.kill("SIGINT");
      expect(await ended).toMatchObject({ code: 0, signal: null, complaints: [] });
      await Promise.all(connections.map(({ closed }) => closed));
      await expectFree(ports);
    },
    timeout,
  );

  it(
    "listens on loopback only, and serves a mesh that runs elsewhere",
    async () => {
      const [authorizationServer, ...others] = portsIn(await startMain(secrets).printed(upLine));
      // Linux answers at every address of 127.0.0.0/8 if somebody listens on all of them.
      for (const port of process.platform === "linux" ? [authorizationServer ?? 0, ...others] : []) {
        const socket = net.connect(port, "127.0.0.2");
        await expect(once(socket, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
      }
      const issuer = `http://127.0.0.1:${authorizationServer}`;
      const {
        code,
        complaints,
        stdout: tour,
      } = await startMain({ MESHAUTH_ISSUER: issuer, ...secrets }, ["--once"]).ended;
      expect({ code, complaints }).toEqual({ code: 0, complaints: [] });
      expect(tour).toContain(`authorization server ${issuer}\n`);
      expect(tour).not.toContain("hidden");
    },
    timeout,
  );
});

describe("describeStartupError", () => {
  it.each([
    { error: new StartupError("ORDER_PORT is 80\n81"), line: "ORDER_PORT is 80\\n81" },
    { error: new DiscoveryError("refused", "a\n calls itself a"), line: "a\\n calls itself a" },
    { error: new TypeError("issuer a is wrong"), line: "issuer a is wrong" },
  ])("makes one line of $error", ({ error, line }) => {
    expect(describeStartupError(error)).toBe(line);
  });

  it("puts all problems of a mesh into one line", () => {
    const problems = ["a", "b"].map((message) => ({ file: "a.proto", subject: "a.v1.A", message }));
    const line = describeStartupError(new RuleError(problems)) ?? "";
    expect(line).not.toContain("\n");
    expect(line.split("a.v1.A")).toHaveLength(3);
  });

  it.each([new Error("a"), new TypeError("a is not a function"), "a", undefined])("knows nothing of %s", (error) => {
    expect(describeStartupError(error)).toBeUndefined();
  });
});

describe("readConfig", () => {
  const read = (environment: Readonly<Record<string, string | undefined>>): MeshConfig => readConfig(environment, mesh);
  const problemsOf = (environment: Environment): string[] => {
    try {
      read(environment);
    } catch (error) {
      expect(error).toBeInstanceOf(StartupError);
      return (error as Error).message.split("; ");
    }
    return [];
  };

  it("runs the embedded authorization server on known ports by default", () => {
    expect(read({})).toEqual({
      issuer: undefined,
      ports: { authorizationServer: 9000, order: 8081, payment: 8082, inventory: 8083 },
      secrets: new Map(clientIds.map((clientId) => [clientId, developmentSecret(clientId)])),
    });
  });

  it("takes what is empty for what is not set", () => {
    const names = ["MESHAUTH_ISSUER", ...portVariables, ...secretVariables];
    expect(read(Object.fromEntries(names.map((name) => [name, ""])))).toEqual(read({}));
  });

  it("takes the port of each service from its variable", () => {
    const ports = { AUTHORIZATION_SERVER_PORT: "0", ORDER_PORT: "1", PAYMENT_PORT: "65535", INVENTORY_PORT: "00080" };
    expect(read(ports).ports).toEqual({ authorizationServer: 0, order: 1, payment: 65_535, inventory: 80 });
  });

  it.each(["-1", "65536", "123456", "80a", " 80", "80 ", "8e1", "0x50", "8.0", "８０", "NaN"])(
    "refuses %j as a port",
    (value) => {
      const [problem = "", ...more] = problemsOf({ ORDER_PORT: value });
      expect(problem).toMatch(/^ORDER_PORT is .*$/);
      expect(more).toEqual(["set a port from 0 to 65535"]);
    },
  );

  it("lists every port that is wrong", () => {
    const problems = problemsOf(Object.fromEntries(portVariables.map((name) => [name, "x"])));
    for (const name of portVariables) expect(problems.filter((problem) => problem.startsWith(name))).toHaveLength(1);
  });

  it("takes secrets for the embedded authorization server as well", () => {
    expect(read({ ORDER_SERVICE_CLIENT_SECRET: "own" }).secrets.get("order-service")).toBe("own");
  });

  it("has a variable for the secret of every client", () => {
    expect([...read({ MESHAUTH_ISSUER: "https://login.example.com", ...secrets }).secrets]).toEqual(
      clientIds.map((clientId) => {
        const variable = secretVariables.find((name) => name.startsWith(clientId.toUpperCase().replaceAll("-", "_")));
        return [clientId, secrets[variable ?? ""]];
      }),
    );
  });

  it("takes an issuer as it is written", () => {
    for (const issuer of ["https://login.example.com/", "https://login.example.com/realms/a", "no URL"]) {
      expect(read({ MESHAUTH_ISSUER: issuer, ...secrets }).issuer).toBe(issuer);
    }
  });

  it("lists every secret that is missing or empty beyond the embedded authorization server", () => {
    const { ORDER_SERVICE_CLIENT_SECRET: _order, ...others } = secrets;
    const environment = { MESHAUTH_ISSUER: "https://login.example.com", ...others, INTRUDER_CLIENT_SECRET: "" };
    expect(problemsOf(environment)).toEqual([
      "ORDER_SERVICE_CLIENT_SECRET is missing",
      "https://login.example.com needs it",
      "INTRUDER_CLIENT_SECRET is missing",
      "https://login.example.com needs it",
    ]);
  });

  it("refuses the development secret of every client beyond the embedded server, and shows none", () => {
    const development = Object.fromEntries(
      secretVariables.map((name) => {
        const clientId = name.replace("_CLIENT_SECRET", "").toLowerCase().replaceAll("_", "-");
        return [name, developmentSecret(clientId)];
      }),
    );
    const problems = problemsOf({ MESHAUTH_ISSUER: "https://login.example.com", ...development });
    expect(problems.filter((problem) => problem.endsWith(" is the development secret"))).toHaveLength(6);
    for (const clientId of clientIds) expect(problems.join()).not.toContain(developmentSecret(clientId));
  });

  it("takes the development secret for an authorization server on loopback, if it is set in so many words", () => {
    const development = Object.fromEntries(
      clientIds.map((id) => [`${id.toUpperCase().replaceAll("-", "_")}_CLIENT_SECRET`, developmentSecret(id)]),
    );
    const config = readConfig({ MESHAUTH_ISSUER: "http://127.0.0.1:9000", ...development }, readExampleMesh());
    expect(config.secrets.get("storefront")).toBe("storefront-secret");
  });

  it("lists wrong ports and missing secrets together", () => {
    const problems = problemsOf({ MESHAUTH_ISSUER: "https://login.example.com", ORDER_PORT: "x" });
    expect(problems.filter((problem) => problem.endsWith("is missing"))).toHaveLength(6);
    expect(problems[0]).toMatch(/^ORDER_PORT is /);
  });
});
