// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** How an article cache is set up. */
export interface ArticleCacheOptions {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly fetch: typeof fetch;
  /** How long before its expiry a token counts as expired. By default, 60. */
  readonly refreshThresholdSeconds?: number;
}

interface Entry {
  readonly token: string;
  readonly expiresAt: number;
}

const requestTimeoutMs = 5000;

/**
 * The token cache that tutorials on the client credentials grant teach, one client's: entries by client id, scope and
 * audience, a threshold before the expiry from which on a new token is fetched and waited for, and one request at a time.
 */
export class ArticleClient {
  readonly #options: ArticleCacheOptions;
  readonly #scope: string;
  readonly #audience: string | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #inFlight = new Map<string, Promise<Entry>>();
  readonly #thresholdMs: number;

  constructor(options: ArticleCacheOptions, scope: string, audience?: string) {
    this.#options = options;
    this.#scope = scope;
    this.#audience = audience;
    this.#thresholdMs = (options.refreshThresholdSeconds ?? 60) * 1000;
  }

  /** Returns the cached token until the threshold; after it, what the authorization server gives or fails with. */
  async getAccessToken(): Promise<string> {
    const key = this.#key();
    const entry = this.#entries.get(key);
    if (entry !== undefined && Date.now() < entry.expiresAt - this.#thresholdMs) return entry.token;
    const running = this.#inFlight.get(key);
    if (running !== undefined) return (await running).token;
    const started = this.#fetchInto(key).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, started);
    return (await started).token;
  }

  /** Forgets the cached token. */
  invalidate(): void {
    this.#entries.delete(this.#key());
  }

  #key(): string {
    return `${this.#options.clientId}:${this.#scope}:${this.#audience ?? ""}`;
  }

  async #fetchInto(key: string): Promise<Entry> {
    const { tokenUrl, clientId, clientSecret } = this.#options;
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope: this.#scope,
    });
    if (this.#audience !== undefined) body.set("audience", this.#audience);
    const entry = await this.#post(tokenUrl, body);
    this.#entries.set(key, entry);
    return entry;
  }

  async #post(url: string, body: URLSearchParams): Promise<Entry> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), requestTimeoutMs);
    try {
      const response = await this.#options.fetch(url, { method: "POST", body, signal: timeout.signal });
      if (!response.ok) throw new Error(`the token endpoint answered with HTTP ${response.status}`);
      const answer = (await response.json()) as { access_token: string; expires_in: number };
      return { token: answer.access_token, expiresAt: Date.now() + answer.expires_in * 1000 };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Keeps a client for each scope and audience. */
export class ArticleTokenManager {
  readonly #options: ArticleCacheOptions;
  readonly #clients = new Map<string, ArticleClient>();

  constructor(options: ArticleCacheOptions) {
    this.#options = options;
  }

  /** Returns a token for a scope at an audience. */
  async getToken(scope: string, audience?: string): Promise<string> {
    return await this.clientFor(scope, audience).getAccessToken();
  }

  /** Returns the client for a scope at an audience. */
  clientFor(scope: string, audience?: string): ArticleClient {
    const key = `${scope}:${audience ?? ""}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const client = new ArticleClient(this.#options, scope, audience);
    this.#clients.set(key, client);
    return client;
  }
}
