// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// What a server pays for checking tokens:
// npx tsx bench/server-check.ts [--transports connect,connect-grpc,grpc-js] [--suites warm,fresh,full]
//   [--cells meshauth,jose]
//   [--epochs 5] [--rounds 100] [--calls 128] [--in-flight 64] [--again] [--profile FOLDER] [--write]
//
// An epoch that was measured is not measured again, unless the code has changed or --again is given: a run that was
// interrupted goes on where it stopped.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCompiled } from "./lib/compiled.js";
import { startIssuer } from "./lib/issuer.js";
import { report, reportImage } from "./lib/report.js";
import { runEpoch } from "./server-check/epoch.js";
import { openResults } from "./server-check/results.js";
import { type TransportName, transports } from "./server-check/settings.js";
import { type Suite, suitesOf } from "./server-check/suites.js";
import { type Measured, suiteChart, suiteTable, versusArticle } from "./server-report/tables.js";

// "Bearer " and the token: about 900 bytes, as tokens with RS256 signatures and a few claims have.
const tokenLength = 893;

const titles: Readonly<Record<Suite["name"], string>> = {
  warm: "The same token on every call, to unchecked calls with the same header",
  fresh: "Another token on every call, to jose",
  full: "Both ends, to calls without a token",
};

if (!runCompiled(import.meta.url)) await main();

async function main(): Promise<void> {
  const options = readOptions();
  const measured: Measured[] = [];
  for (const transport of options.transports) {
    for (const suite of suitesOf(transport, options.cells).filter(({ name }) => options.suites.includes(name))) {
      const result = await measureSuite(transport, suite, options);
      measured.push(result);
      const content = [suiteTable(result), versusArticle(result)].filter(Boolean).join("\n\n");
      report(`server-check-${suite.name}-${transport}`, content);
    }
  }
  for (const [suite, title] of Object.entries(titles)) {
    const shown = measured.filter((each) => each.suite.name === suite);
    if (shown.length === Object.keys(transports).length)
      reportImage(`server-check-${suite}.svg`, suiteChart(title, shown));
  }
}

type Options = ReturnType<typeof readOptions>;

async function measureSuite(transport: TransportName, suite: Suite, options: Options): Promise<Measured> {
  const name = `${suite.name}-${transport}`;
  const { epochs, profileFolder, isAgain, ...amount } = options.amount;
  const compiled = ["../src", "./server-check"].map((each) => fileURLToPath(new URL(each, import.meta.url)));
  const results = openResults(name, { amount, cells: suite.cells, isAgain: isAgain ? Date.now() : 0 }, compiled);
  const issuer = await startIssuer("RS256", tokenLength);
  try {
    while (results.epochs.length < epochs) {
      console.error(`${name}: epoch ${results.epochs.length + 1} of ${epochs}`);
      results.add(await runEpoch(transport, suite, issuer, { ...amount, profileFolder }));
    }
  } finally {
    issuer.close();
  }
  return { transport, suite, epochs: results.epochs };
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      transports: { type: "string", default: Object.keys(transports).join() },
      suites: { type: "string", default: "warm,fresh,full" },
      cells: { type: "string" },
      epochs: { type: "string", default: "5" },
      rounds: { type: "string", default: "100" },
      "warm-up": { type: "string", default: "25" },
      calls: { type: "string", default: "128" },
      "in-flight": { type: "string", default: "64" },
      again: { type: "boolean", default: false },
      profile: { type: "string" },
      write: { type: "boolean", default: false },
    },
  });
  return {
    transports: values.transports.split(",") as TransportName[],
    suites: values.suites.split(","),
    cells: values.cells?.split(","),
    amount: {
      epochs: Number(values.epochs),
      rounds: Number(values.rounds),
      warmUpRounds: Number(values["warm-up"]),
      calls: Number(values.calls),
      inFlight: Number(values["in-flight"]),
      profileFolder: values.profile,
      isAgain: values.again,
    },
  };
}
