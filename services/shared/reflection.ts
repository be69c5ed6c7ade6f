// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../src/gen/grpc/reflection/v1/reflection_pb.js";

/** The services that a server tells about. */
export type Reflected = readonly DescService[];

/** What reflection answers from. */
export interface ReflectionRegistry {
  readonly services: Reflected;
  readonly types: Registry;
  readonly files: ReadonlyMap<string, DescFile>;
}

/** Collects the files of services, and everything that they import. */
export function createReflectionRegistry(services: Reflected): ReflectionRegistry {
  const files = new Map<string, DescFile>();
  const collect = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    file.dependencies.forEach(collect);
  };
  for (const { file } of services) collect(file);
  return { services, types: createRegistry(...files.values()), files };
}

/** Answers one request of gRPC server reflection, v1. */
export function answerReflection(
  registry: ReflectionRegistry,
  request: ServerReflectionRequest,
): ServerReflectionResponse {
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: answer(registry, request.messageRequest),
  });
}

type Answer = ServerReflectionResponse["messageResponse"];

function answer(registry: ReflectionRegistry, request: ServerReflectionRequest["messageRequest"]): Answer {
  const { services, types, files } = registry;
  switch (request.case) {
    case "listServices": {
      const service = services.map(({ typeName }) => ({
        $typeName: "grpc.reflection.v1.ServiceResponse" as const,
        name: typeName,
      }));
      return { case: "listServicesResponse", value: { $typeName: "grpc.reflection.v1.ListServiceResponse", service } };
    }
    case "fileByFilename":
      return fileAnswer(files.get(request.value), request.value);
    case "fileContainingSymbol":
      return fileAnswer(fileOf(types, request.value), request.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const message = types.getMessage(containingType);
      const extension = message && types.getExtensionFor(message, extensionNumber);
      return fileAnswer(extension?.file, `${containingType}, extension ${extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      const extensions = [...types].filter((type) => type.kind === "extension");
      const matching = extensions.filter(({ extendee }) => extendee.typeName === request.value);
      return {
        case: "allExtensionNumbersResponse",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
          baseTypeName: request.value,
          extensionNumber: matching.map(({ number }) => number),
        },
      };
    }
    default:
      return errorAnswer(Code.InvalidArgument, "the request asks for nothing that is known here");
  }
}

/** The file that declares a message, an enum, a service, an extension, or a method or field of one. */
function fileOf(types: Registry, symbol: string): DescFile | undefined {
  const parent = symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")));
  return (types.get(symbol) ?? types.get(parent))?.file;
}

function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, `${asked} is not known here`);
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return {
    case: "fileDescriptorResponse",
    value: { $typeName: "grpc.reflection.v1.FileDescriptorResponse", fileDescriptorProto },
  };
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode, errorMessage } };
}
