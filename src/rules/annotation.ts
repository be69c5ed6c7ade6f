// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  type DescExtension,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type UnknownField,
} from "@bufbuild/protobuf";
import type { GenExtension } from "@bufbuild/protobuf/codegenv2";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { MethodOptions, ServiceOptions } from "@bufbuild/protobuf/wkt";
import {
  type Rule as RuleMessage,
  RuleSchema,
  rule as ruleExtension,
  type Service as ServiceMessage,
  ServiceSchema,
  service as serviceExtension,
} from "../gen/meshauth/v1/options_pb.js";

/** An annotation as it stands in a descriptor: not there, readable, or data that must not be trusted. */
export type Annotation<T> =
  | { readonly kind: "absent" }
  | { readonly kind: "message"; readonly message: T }
  /** Data that another option put at our extension number; nothing of it is read. */
  | { readonly kind: "foreign"; readonly reason: string }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Reads the option `meshauth.v1.rule` of an RPC. */
export function readRuleAnnotation(method: DescMethod): Annotation<RuleMessage> {
  return readAnnotation(method.proto.options, method.parent.file, ruleExtension, RuleSchema);
}

/** Reads the option `meshauth.v1.service` of a service. */
export function readServiceAnnotation(service: DescService): Annotation<ServiceMessage> {
  return readAnnotation(service.proto.options, service.file, serviceExtension, ServiceSchema);
}

// protobuf-es reads an extension by its number alone and merges whatever it finds there. An access rule must not be
// guessed: the data has to be ours, complete, and without anything that this version does not know.
function readAnnotation<T extends Message>(
  options: MethodOptions | ServiceOptions | undefined,
  file: DescFile,
  extension: GenExtension<MethodOptions, RuleMessage> | GenExtension<ServiceOptions, ServiceMessage>,
  schema: DescMessage & { readonly typeName: T["$typeName"] },
): Annotation<T> {
  const fields = options?.$unknown?.filter((field) => field.no === extension.number) ?? [];
  if (fields.length === 0) return { kind: "absent" };
  if (!dependsOn(file, extension)) return { kind: "foreign", reason: foreignReason(extension) };
  try {
    const bytes = concat(fields.map(payload));
    assertUnambiguous(bytes, schema);
    const message = fromBinary(schema, bytes) as T;
    const unknown = unknownField(schema, message);
    if (unknown === undefined) return { kind: "message", message };
    return {
      kind: "unreadable",
      reason: `has ${unknown}, which this version of meshauth does not know; update meshauth or remove it`,
    };
  } catch (error) {
    if (error instanceof Contradiction) return { kind: "unreadable", reason: error.message };
    return {
      kind: "unreadable",
      reason: `(${extension.typeName}) does not decode as ${schema.typeName}; build the descriptors again from the protos`,
    };
  }
}

function foreignReason(extension: DescExtension): string {
  return (
    `carries data at extension number ${extension.number}, but its file does not import meshauth/v1/options.proto: ` +
    "another option uses the number of meshauth; nothing of it is read as a rule"
  );
}

/** Whether the extension is visible in the file: declared by a file that it imports, directly or by a public import. */
function dependsOn(file: DescFile, extension: DescExtension): boolean {
  return (
    file.dependencies.some((dependency) => declares(dependency, extension, new Set())) ||
    // `import option` of edition 2024: descriptors need not carry the imported file, so there is only its name.
    file.proto.optionDependency.includes(extension.file.proto.name)
  );
}

function declares(file: DescFile, extension: DescExtension, seen: Set<DescFile>): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  return (
    file.extensions.some(
      (candidate) =>
        candidate.typeName === extension.typeName &&
        candidate.number === extension.number &&
        candidate.extendee.typeName === extension.extendee.typeName,
    ) || publicDependencies(file).some((dependency) => declares(dependency, extension, seen))
  );
}

function publicDependencies(file: DescFile): DescFile[] {
  return file.proto.publicDependency.flatMap((index) => {
    const name = file.proto.dependency[index];
    return file.dependencies.filter((dependency) => dependency.proto.name === name);
  });
}

function payload(field: UnknownField): Uint8Array {
  if (field.wireType !== WireType.LengthDelimited) throw new Error("not a message");
  const reader = new BinaryReader(field.data);
  const bytes = reader.bytes();
  if (reader.pos !== reader.len) throw new Error("trailing bytes");
  return bytes;
}

// Messages merge by concatenation (protobuf encoding guide, "Last One Wins").
function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

class Contradiction extends Error {}

/**
 * Protobuf lets the last member of a oneof and the last value of a field win, and protobuf-es reads a field that it knows
 * whatever its wire type. For an access rule these are contradictions and garbage, so they are looked for on the wire,
 * where everything is still there, also in the messages inside.
 */
function assertUnambiguous(bytes: Uint8Array, schema: DescMessage): void {
  const values = new Map<DescField, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const data = reader.skip(wireType, number);
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (field === undefined) continue;
    if (wireType !== wireTypeOf(field)) throw new Error("wrong wire type");
    const earlier = values.get(field);
    if (earlier === undefined) values.set(field, [data]);
    else if (field.fieldKind === "list" || field.fieldKind === "message") earlier.push(data);
    else throw new Contradiction(`sets ${field.name} twice; say it once`);
  }
  const members = [...values.keys()].filter((field) => field.oneof !== undefined);
  if (members.length > 1) {
    const names = members.map((field) => field.name).join(" and ");
    throw new Contradiction(`sets ${names} at once; a rule says exactly one of them`);
  }
  for (const [field, data] of values) {
    if (field.message === undefined) continue;
    const messages = data.map((each) => new BinaryReader(each).bytes());
    for (const message of field.fieldKind === "list" ? messages : [concat(messages)]) {
      assertUnambiguous(message, field.message);
    }
  }
}

/** The annotation is made of messages, strings and enums. */
function wireTypeOf(field: DescField): WireType {
  return field.enum === undefined ? WireType.LengthDelimited : WireType.Varint;
}

/** Names the first field, here or in a message inside, that the schema does not know. */
function unknownField(schema: DescMessage, message: Message): string | undefined {
  const unknown = message.$unknown?.[0];
  if (unknown !== undefined) return `field ${unknown.no} of ${schema.typeName}`;
  const view = reflect(schema, message);
  for (const field of schema.fields) {
    if (field.message === undefined || !view.isSet(field)) continue;
    const desc = field.message;
    const inside =
      field.fieldKind === "list"
        ? [...view.get(field)].map((item) => (item as { message: Message }).message)
        : [(view.get(field) as { message: Message }).message];
    for (const item of inside) {
      const name = unknownField(desc, item);
      if (name !== undefined) return name;
    }
  }
  return undefined;
}
