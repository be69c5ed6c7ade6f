// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A request as the authorization server saw it. */
export interface SeenRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  /** The form; empty for a request without a body. */
  readonly form: URLSearchParams;
  /** The signal that ends the request when it takes too long. */
  readonly signal: AbortSignal | undefined;
}

/** What one request is answered with. */
export type Answer = (request: SeenRequest) => Response | Promise<Response>;

/** How a fake authorization server is set up. */
export interface FakeTokenEndpointOptions {
  /** By default, `https://login.test`. */
  readonly issuer?: string;
  /** By default, `/token` at the issuer. */
  readonly tokenEndpoint?: string;
  /** More members of the metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** What requests beyond the script get. By default, a new token for 300 s each. */
  readonly answer?: Answer;
}

/** An authorization server without sockets. */
export interface FakeTokenEndpoint {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** Takes the place of the global fetch, and follows redirects as that does unless told not to. */
  readonly fetch: typeof fetch;
  /** Every request, in order. */
  readonly requests: readonly SeenRequest[];
  /** The requests for metadata. */
  readonly discoveryRequests: readonly SeenRequest[];
  /** The requests to the token endpoint. */
  readonly tokenRequests: readonly SeenRequest[];
  /** Scripts the next discovery requests, one answer each. Requests beyond the script get good metadata. */
  answerDiscovery(...answers: Answer[]): void;
  /** Scripts the next token requests, one answer each. Requests beyond the script get the option `answer`. */
  answerToken(...answers: Answer[]): void;
  /** Resolves when so many requests were seen in all. */
  seen(count: number): Promise<void>;
}

/** Creates a fake authorization server. */
export function createFakeTokenEndpoint(options: FakeTokenEndpointOptions = {}): FakeTokenEndpoint {
  const { issuer = "https://login.test" } = options;
  const { tokenEndpoint = below(issuer, "token") } = options;
  const discoveryUrl = below(issuer, ".well-known/openid-configuration");
  const requests: SeenRequest[] = [];
  const scripts = { discovery: [] as Answer[], token: [] as Answer[] };
  const watchers: { readonly count: number; readonly resolve: () => void }[] = [];
  const sentTo = (url: string): SeenRequest[] => requests.filter((request) => request.url === url);

  function answerTo(url: string): Answer {
    const more = { token_endpoint: tokenEndpoint, ...options.metadata };
    if (url === discoveryUrl) return scripts.discovery.shift() ?? metadata(issuer, more);
    const otherwise = (): Answer => options.answer ?? token(`token-${sentTo(tokenEndpoint).length}`);
    if (url === tokenEndpoint) return scripts.token.shift() ?? otherwise();
    return text(404, "nothing here");
  }

  async function send(url: string, init: RequestInit): Promise<Response> {
    const request: SeenRequest = {
      url,
      method: init.method ?? "GET",
      headers: new Headers(init.headers),
      form: new URLSearchParams(init.body instanceof URLSearchParams ? init.body : ""),
      signal: init.signal ?? undefined,
    };
    requests.push(request);
    const answer = answerTo(url);
    for (const watcher of watchers) if (watcher.count <= requests.length) watcher.resolve();
    const response = await answer(request);
    const location = response.headers.get("location");
    const redirected = response.status >= 300 && response.status < 400 && location !== null;
    return redirected && init.redirect !== "manual" ? await send(new URL(location, url).href, init) : response;
  }

  return {
    issuer,
    tokenEndpoint,
    fetch: (input, init = {}) => send(input instanceof Request ? input.url : String(input), init),
    requests,
    get discoveryRequests() {
      return sentTo(discoveryUrl);
    },
    get tokenRequests() {
      return sentTo(tokenEndpoint);
    },
    answerDiscovery: (...answers) => void scripts.discovery.push(...answers),
    answerToken: (...answers) => void scripts.token.push(...answers),
    seen: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else watchers.push({ count, resolve });
      }),
  };
}

/** Answers with JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return text(status, JSON.stringify(body), { "content-type": "application/json", ...headers });
}

/** Answers with anything. */
export function text(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return () => new Response(status === 204 || status === 304 ? null : body, { status, headers });
}

/** Answers as a web application firewall does. */
export function html(status: number, headers: Record<string, string> = {}): Answer {
  return text(status, "<!doctype html><title>Request blocked</title>", { "content-type": "text/html", ...headers });
}

/** Answers with metadata of this issuer. */
export function metadata(issuer: string, more: Record<string, unknown> = {}): Answer {
  return json(200, { issuer, token_endpoint: below(issuer, "token"), ...more });
}

/** Answers with a bearer token for 300 s, or with what `more` says instead. `undefined` there leaves a member out. */
export function token(value: string, more: Record<string, unknown> = {}): Answer {
  return json(200, { access_token: value, token_type: "Bearer", expires_in: 300, ...more });
}

/** Answers with an OAuth error (RFC 6749 §5.2). */
export function oauthError(error: string, more: { status?: number; description?: string } = {}): Answer {
  const { status = 400, description } = more;
  return json(status, { error, ...(description === undefined ? {} : { error_description: description }) });
}

/** Answers with a redirect. */
export function redirect(status: number, location: string): Answer {
  return text(status, "", { location });
}

/** Never answers: like fetch, it gives up when the signal of the request says so. */
export function never(): Answer {
  return ({ signal }) => new Promise((_, reject) => whenAborted(signal, reject));
}

/** Sends the headers of an answer and some of its body, and then nothing more. */
export function stalls(status = 200): Answer {
  return ({ signal }) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"access_token":'));
        whenAborted(signal, (reason) => controller.error(reason));
      },
    });
    return new Response(body, { status, headers: { "content-type": "application/json" } });
  };
}

/** Fails like fetch does when the server cannot be reached. */
export function unreachable(code = "ECONNREFUSED"): Answer {
  return rejects(new TypeError("fetch failed", { cause: Object.assign(new Error(`connect ${code}`), { code }) }));
}

/** Fails with this. */
export function rejects(error: unknown): Answer {
  return () => Promise.reject(error);
}

/** Answers only when the test says so. */
export function whenOpened(answer: Answer): Answer & { open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const answerLater: Answer = async (request) => {
    await opened;
    return await answer(request);
  };
  return Object.assign(answerLater, { open: () => open() });
}

function below(issuer: string, path: string): string {
  return `${issuer.replace(/\/$/, "")}/${path}`;
}

function whenAborted(signal: AbortSignal | undefined, action: (reason: unknown) => void): void {
  if (signal?.aborted === true) action(signal.reason);
  else signal?.addEventListener("abort", () => action(signal.reason));
}
