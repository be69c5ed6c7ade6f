// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { developmentSecret } from "../authorization-server/server.js";
import type { RunningMesh } from "../mesh.js";
import { bold, dim } from "./report.js";

/** Prints commands that work as pasted, in another terminal at the root of the repository. */
export function printCommands({ issuer, tokenEndpoint, orderUrl, paymentUrl }: RunningMesh): void {
  const order = '{"requestId": "'.concat("'$RANDOM'", '", "lineItems": [{"sku": "tea-green", "quantity": 1}]}');
  // Only the development secret can be shown; any other is where the person who set it has it.
  const secret = process.env["STOREFRONT_CLIENT_SECRET"]
    ? "$STOREFRONT_CLIENT_SECRET"
    : developmentSecret("storefront");
  const rpc = `${orderUrl}/order.v1.OrderService/PlaceOrder`;
  console.log(`
${bold("The mesh stays up; Ctrl-C ends it. In another terminal, at the root of the repository:")}

${dim(`# a token for storefront, from ${issuer}`)}
TOKEN=$(curl -s -u "storefront:${secret}" ${tokenEndpoint} \\
  -d grant_type=client_credentials -d resource=https://order-service.internal -d scope=orders:write \\
  | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')

${dim("# an order, over Connect, gRPC and gRPC-Web")}
npx buf curl --schema . -H "authorization: Bearer $TOKEN" -d '${order}' ${rpc}
npx buf curl --schema . --protocol grpc --http2-prior-knowledge -H "authorization: Bearer $TOKEN" -d '${order}' ${rpc}
npx buf curl --schema . --protocol grpcweb -H "authorization: Bearer $TOKEN" -d '${order}' ${rpc}

${dim("# the same with curl, and without a token")}
curl -i -H 'content-type: application/json' -H "authorization: Bearer $TOKEN" -d '${order}' ${rpc}
curl -i -H 'content-type: application/json' -d '${order}' ${rpc}

${dim("# a token for orders is none for payments")}
curl -i -H 'content-type: application/json' -H "authorization: Bearer $TOKEN" -d '{}' ${paymentUrl}/payment.v1.PaymentService/ListPayments
`);
}
