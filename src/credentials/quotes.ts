// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

const quoteLength = 8;

/** Whether a text contains a secret, or as much as eight characters of it in a row. */
export function quotes(text: string, secret: string): boolean {
  for (let start = 0; start === 0 || start + quoteLength <= secret.length; start += 1) {
    if (text.includes(secret.slice(start, start + quoteLength))) return true;
  }
  return false;
}

/** Whether a text quotes a secret as it is, or encoded as a URL, a form, JSON, hexadecimal or base64 has it. */
export function quotesInAnyForm(text: string, secret: string): boolean {
  return [...formsOf(secret)].some((form) => quotes(text, form));
}

function formsOf(secret: string): Set<string> {
  const form = new URLSearchParams({ s: secret }).toString().slice(2);
  // RFC 6749 §2.3.1 has a form in the header, and openid-client leaves nothing in it that is not a letter or a digit.
  const header = form.replace(/[-_.*]/g, (char) => `%${hex(Buffer.from(char)).toUpperCase()}`);
  const inUrls = [encodeURIComponent(secret), form, header];
  return new Set([
    secret,
    ...inUrls,
    ...inUrls.map((each) => each.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())),
    JSON.stringify(secret).slice(1, -1),
    hex(Buffer.from(secret)),
    ...[secret, header].flatMap(base64Forms),
  ]);
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex");
}

const shortestBase64 = 4;

/** The base64 of a text that stands in the middle of another one: it depends on how many bytes come before. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const length = before + bytes.length;
    // The first and the last character hold bits of the neighbours.
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .slice(Math.ceil((before * 8) / 6), Math.floor((length * 8) / 6));
    const url = whole.replaceAll("+", "-").replaceAll("/", "_");
    return whole.length < shortestBase64 ? [] : [whole, url];
  });
}
