// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import {
  create,
  createFileRegistry,
  type DescFile,
  type DescMethod,
  type DescService,
  type Message,
  type UnknownField,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, MethodOptionsSchema, ServiceOptionsSchema } from "@bufbuild/protobuf/wkt";
import { compileFile } from "@bufbuild/protocompile";
import { file_meshauth_v1_options } from "../../src/gen/meshauth/v1/options_pb.js";

// protocompile runs the `buf` of the PATH; test runners that npm did not start do not have ours on it.
const binaries = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));
process.env["PATH"] = [binaries, process.env["PATH"]].join(delimiter);

const optionsProto = readFileSync(new URL("../../proto/meshauth/v1/options.proto", import.meta.url), "utf8");

/**
 * Compiles a whole proto, named "input.proto". It can import "meshauth/v1/options.proto" and the given files, which may
 * also take the place of our options file.
 */
export function compile(source: string, imports: Readonly<Record<string, string>> = {}): DescFile {
  return compileFile(source, { imports: { "meshauth/v1/options.proto": optionsProto, ...imports } });
}

/** Compiles services of the package test.v1; their RPCs can take and return `Empty`. */
export function compileServices(services: string, imports: Readonly<Record<string, string>> = {}): DescFile {
  return compile(
    `syntax = "proto3";
     package test.v1;
     import "meshauth/v1/options.proto";
     message Empty {}
     ${services}`,
    imports,
  );
}

/** Compiles the only service of a file, as `compileServices` does. */
export function compileService(service: string): DescService {
  return only(compileServices(service).services);
}

/** A service of a file, by its name. */
export function serviceOf(file: DescFile, name: string): DescService {
  return only(file.services.filter((service) => service.name === name));
}

/** An RPC of a service, by its name; by default, the only one. */
export function methodOf(service: DescService, name?: string): DescMethod {
  return only(service.methods.filter((method) => name === undefined || method.name === name));
}

/** Option data as it could stand in a descriptor, of whatever origin. */
export interface RawOptions {
  readonly method?: readonly UnknownField[];
  readonly service?: readonly UnknownField[];
  /** The files that the file imports. By default, our options file. */
  readonly dependencies?: readonly DescFile[];
}

/** A service "raw.v1.RawService" in "raw.proto" with one unary RPC "Call", whose options no compiler has looked at. */
export function rawService({ method, service, dependencies = [file_meshauth_v1_options] }: RawOptions): DescService {
  const file = create(FileDescriptorProtoSchema, {
    name: "raw.proto",
    package: "raw.v1",
    syntax: "proto3",
    dependency: dependencies.map((dependency) => dependency.proto.name),
    messageType: [{ name: "Empty" }],
    service: [
      {
        name: "RawService",
        ...(service && { options: withData(create(ServiceOptionsSchema), service) }),
        method: [
          {
            name: "Call",
            inputType: ".raw.v1.Empty",
            outputType: ".raw.v1.Empty",
            ...(method && { options: withData(create(MethodOptionsSchema), method) }),
          },
        ],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) => dependencies.find(({ proto }) => proto.name === name));
  return only(registry.getFile("raw.proto")?.services ?? []);
}

function withData<T extends Message>(options: T, data: readonly UnknownField[]): T {
  options.$unknown = [...data];
  return options;
}

function only<T>(items: readonly T[]): T {
  const [item, ...others] = items;
  if (item === undefined || others.length > 0) throw new Error(`expected exactly one, got ${items.length}`);
  return item;
}
