// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether there is an `openssl` command; Node.js cannot make certificates. In CI there has to be one. */
export const hasOpenssl: boolean = process.env["CI"] !== undefined || canRunOpenssl();

function canRunOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** A certificate and its private key, as PEM. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Makes certificates that an authority of its own has issued. */
export interface CertificateAuthority {
  readonly certificate: string;
  issue(commonName: string): Pair;
}

/** Creates an authority whose certificates are good for today, on 127.0.0.1. */
export function createCertificateAuthority(): CertificateAuthority {
  const ca = run("authority", ["-x509", "-addext", "basicConstraints=critical,CA:TRUE"]);
  return {
    certificate: ca.certificate,
    issue: (commonName) =>
      run(commonName, ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"], ca),
  };
}

/** Makes a certificate that nobody but its owner has signed, for a key of this type. */
export function selfSigned(commonName: string, newKey: readonly string[] = ecKey): Pair {
  return run(commonName, ["-x509"], undefined, newKey);
}

const ecKey = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

function run(commonName: string, more: string[], issuer?: Pair, newKey: readonly string[] = ecKey): Pair {
  const folder = mkdtempSync(join(tmpdir(), "meshauth-certificates-"));
  try {
    if (issuer !== undefined) writeFileSync(join(folder, "ca.pem"), issuer.certificate);
    if (issuer !== undefined) writeFileSync(join(folder, "ca.key"), issuer.key);
    const out = ["-days", "1", "-subj", `/CN=${commonName}`, "-keyout", "own.key", "-out", "own.pem"];
    execFileSync("openssl", ["req", "-newkey", ...newKey, "-noenc", ...out, ...more], { cwd: folder, stdio: "pipe" });
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    return { certificate: read("own.pem"), key: read("own.key") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
