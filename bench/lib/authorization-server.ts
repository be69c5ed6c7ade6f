// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../src/index.js";

/** A token as the authorization server knows it. Times in milliseconds since the Unix epoch. */
export interface IssuedToken {
  readonly value: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** How an authorization server is out of order: nobody answers, or something answers with HTTP 503. */
export type Failure = "unreachable" | "503";

/** How an authorization server behaves. */
export interface AuthorizationServerOptions {
  readonly clock: Clock;
  readonly lifetimeSeconds: number;
  /** How long an answer takes, in milliseconds. */
  readonly latencyMs: number;
  /** Adds `refresh_in` to the answers, as Entra ID does. */
  readonly refreshInSeconds?: number | undefined;
}

/** An authorization server in memory: no sockets, and the time is the clock's. */
export class AuthorizationServer {
  readonly issuer = "https://login.test";
  readonly tokenEndpoint = "https://login.test/token";
  /** When each token request arrived, answered or not. */
  readonly tokenRequests: number[] = [];
  readonly #options: AuthorizationServerOptions;
  readonly #issued = new Map<string, IssuedToken>();
  #outage: { readonly from: number; readonly until: number; readonly failure: Failure } | undefined;
  #lastExpiry = 0;

  constructor(options: AuthorizationServerOptions) {
    this.#options = options;
  }

  /** Is out of order from one time to another. */
  fail(from: number, until: number, failure: Failure): void {
    this.#outage = { from, until, failure };
  }

  /** Finds a token by its value. */
  find(value: string): IssuedToken | undefined {
    return this.#issued.get(value);
  }

  /** Whether any token that was issued is valid. */
  hasValidToken(): boolean {
    return this.#options.clock.now() < this.#lastExpiry;
  }

  /** Takes the place of fetch. */
  readonly fetch: typeof fetch = async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const answer = this.#answer(url);
    await this.#pause();
    if (answer === "unreachable") {
      throw new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) });
    }
    if (answer === "503") return Response.json({ error: "temporarily_unavailable" }, { status: 503 });
    return Response.json(answer);
  };

  #answer(url: string): object | Failure {
    const now = this.#options.clock.now();
    const isTokenRequest = url.startsWith(this.tokenEndpoint);
    if (isTokenRequest) this.tokenRequests.push(now);
    const outage = this.#outage;
    if (outage !== undefined && now >= outage.from && now < outage.until) return outage.failure;
    return isTokenRequest ? this.#issue(now) : this.#metadata();
  }

  #issue(now: number): object {
    const { lifetimeSeconds, refreshInSeconds } = this.#options;
    const iat = Math.floor(now / 1000);
    const token = {
      value: createJwt({ jti: this.#issued.size, iat, exp: iat + lifetimeSeconds }),
      issuedAt: now,
      expiresAt: now + lifetimeSeconds * 1000,
    };
    this.#issued.set(token.value, token);
    this.#lastExpiry = token.expiresAt;
    return {
      access_token: token.value,
      token_type: "Bearer",
      expires_in: lifetimeSeconds,
      ...(refreshInSeconds === undefined ? {} : { refresh_in: refreshInSeconds }),
    };
  }

  #metadata(): object {
    const { issuer, tokenEndpoint } = this;
    const authorizationEndpoint = `${issuer}/authorize`;
    const keys = `${issuer}/keys`;
    return {
      issuer,
      token_endpoint: tokenEndpoint,
      authorization_endpoint: authorizationEndpoint,
      jwks_uri: keys,
    };
  }

  #pause(): Promise<void> {
    const { clock, latencyMs } = this.#options;
    return latencyMs === 0 ? Promise.resolve() : new Promise((resolve) => void clock.schedule(latencyMs, resolve));
  }
}

const header = encode({ typ: "at+jwt", alg: "RS256" });

/** An access token as RFC 9068 wants it, but for its signature: nobody here verifies it. */
function createJwt(claims: object): string {
  const own = { iss: "https://login.test", aud: "payment-service", scope: "payments:write" };
  return `${header}.${encode({ ...own, ...claims })}.signature`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
