// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescFile, DescMethod, DescService } from "@bufbuild/protobuf";

/** One thing that is wrong with the rules of a mesh, and where. */
export interface RuleProblem {
  /** The proto file, "payment/v1/payment.proto"; `undefined` for what is said in configuration or in the mesh file. */
  readonly file: string | undefined;
  /** What it is about: an RPC "payment.v1.PaymentService/Charge", a service, or a client. */
  readonly subject: string;
  /** What is wrong, and the way out. */
  readonly message: string;
}

/** The rules of a mesh cannot be used. Lists everything that is wrong with them at once. */
export class RuleError extends Error {
  override readonly name = "RuleError";
  /** Stable identifier of this kind of error. */
  readonly code = "ERR_MESHAUTH_RULES";
  /** Everything that is wrong. */
  readonly problems: readonly RuleProblem[];

  constructor(problems: readonly RuleProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

function formatProblem({ file, subject, message }: RuleProblem): string {
  return `${file === undefined ? "" : `${file}: `}${subject}: ${message}`;
}

/** The name of an RPC as `calls`, logs and errors spell it: "payment.v1.PaymentService/Charge". */
export function rpcName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** The name of a file as imports spell it; descriptors have it without its ending. */
export function fileName(file: DescFile): string {
  return `${file.name}.proto`;
}

/** A problem with the annotation of an RPC or a service. */
export function problemAt(at: DescMethod | DescService, message: string): RuleProblem {
  return at.kind === "rpc"
    ? { file: fileName(at.parent.file), subject: rpcName(at), message }
    : { file: fileName(at.file), subject: at.typeName, message };
}
