// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control, stoppedBy } from "../attack.js";
import { claims, header, mint, mintWith, spelled, start } from "../lab/mint.js";

const expForm = stoppedBy("exp-form", "RFC 7519 §4.1.4, RFC 9068 §2.2");
const expired = stoppedBy("expiry", "RFC 7519 §4.1.4", "TOKEN_EXPIRED");
const early = stoppedBy("not-before", "RFC 7519 §4.1.5", "TOKEN_NOT_YET_VALID");
const nbfForm = stoppedBy("nbf-form", "RFC 7519 §4.1.5");
const iatForm = stoppedBy("iat-form", "RFC 7519 §4.1.6");
const withExp = (value: unknown) => () => mintWith({ exp: value });
const withNbf = (value: unknown) => () => mintWith({ nbf: value });
const withIat = (value: unknown) => () => mintWith({ iat: value });
/** A token with a number that is written in a way that JSON.stringify() does not know. */
const written = (name: "exp" | "nbf" | "iat", literal: string) => () =>
  mint(spelled(claims({ [name]: 77_777 }), "77777", literal), header());
const later = start + 300;

export const time: readonly Attack[] = [
  expForm("exp is missing", withExp(undefined)),
  expForm("exp is null", withExp(null)),
  expForm("exp is a text with a good number in it", withExp(String(later))),
  expForm("exp is a date as text", withExp("2026-01-01T01:00:00Z")),
  expForm("exp is a list with a good number in it", withExp([later])),
  expForm("exp is an object", withExp({ valueOf: later })),
  expForm("exp is true", withExp(true)),
  expForm("exp is false", withExp(false)),
  expForm("exp is empty", withExp("")),
  expForm("exp is 1e400, which is infinite", written("exp", "1e400"), { reference: "RFC 8259 §6" }),
  expForm("exp is -1e400, which is infinite", written("exp", "-1e400"), { reference: "RFC 8259 §6" }),
  expForm("exp is 1e308", written("exp", "1e308")),
  expForm("exp is further away than a date can be", withExp(8.64e12 + 1)),
  expForm("exp is in milliseconds", withExp((start + 300) * 1_000_000)),
  expForm("exp is negative", withExp(-1)),
  expired("exp is -0", written("exp", "-0")),
  expired("exp is 0", withExp(0)),
  expired("exp is a year ago", withExp(start - 31_536_000)),
  expired("exp is 5 s ago, just past the tolerance", withExp(start - 5)),
  expired("exp is a fraction that is just past the tolerance", withExp(start - 5.0001)),
  expired("the token expired, and its nbf lies ahead", () => mintWith({ exp: start - 60, nbf: start + 60 })),
  control("exp is 4 s ago, within the tolerance", "RFC 7519 §4.1.4", withExp(start - 4)),
  control("exp is a fraction", "RFC 7519 §2", withExp(start + 0.5)),
  control("exp is written with an exponent", "RFC 8259 §6", written("exp", "1.8e9")),

  early("nbf is in an hour", withNbf(start + 3_600)),
  early("nbf is 6 s ahead, past the tolerance", withNbf(start + 6)),
  early("iat is in an hour", withIat(start + 3_600), { reference: "RFC 7519 §4.1.6" }),
  early("iat is 6 s ahead, past the tolerance", withIat(start + 6), { reference: "RFC 7519 §4.1.6" }),
  early("nbf is in the year 3000, and exp as well", () => mintWith({ nbf: 32_503_680_000, exp: 32_503_690_000 })),
  nbfForm("nbf is a text", withNbf(String(start))),
  nbfForm("nbf is null", withNbf(null)),
  nbfForm("nbf is a list", withNbf([start])),
  nbfForm("nbf is true", withNbf(true)),
  nbfForm("nbf is -1e400", written("nbf", "-1e400")),
  nbfForm("nbf is negative", withNbf(-1)),
  nbfForm("nbf is 1e400", written("nbf", "1e400")),
  iatForm("iat is a text", withIat(String(start))),
  iatForm("iat is null", withIat(null)),
  iatForm("iat is an object", withIat({})),
  iatForm("iat is false", withIat(false)),
  iatForm("iat is -1e400", written("iat", "-1e400")),
  iatForm("iat is negative", withIat(-1)),
  control("iat is missing", "RFC 7519 §4.1.6", withIat(undefined)),
  control("nbf is 4 s ahead, within the tolerance", "RFC 7519 §4.1.5", withNbf(start + 4)),
];
