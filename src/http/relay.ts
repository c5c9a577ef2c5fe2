// Requests that another process of this installation has to answer: what is sent to it and what comes back. Separate because it is a small
// protocol of its own. The process that took the request has decided who asks, whether he may and how often; the other believes it, which it may
// because only processes with the installation's key are heard on the bus, and decides about the body. Credentials are never sent along.

import type { Permission } from "../domain/permission";
import type { Principal } from "../domain/principal";
import { BsoptError } from "../foundation/errors";
import type { Vouched } from "./request-context";
import type { Route } from "./routes";

/** Where else requests are answered. */
export interface Elsewhere {
  /** Whether this process must not answer the route by itself now. */
  has(route: Route): boolean;
  /** The other's answer. Throws BsoptErrors. */
  ask(request: Uint8Array): Promise<Uint8Array>;
}

/** What is known of a request that is passed on. */
interface Asked {
  readonly principal: Principal | null;
  readonly vouched: Vouched | null;
  /** As it came. */
  readonly body: unknown;
  readonly requestId: string;
  readonly clientAddress: string;
}

interface RequestHead {
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly principal: Omit<Principal, "permissions" | "expiresAt"> & { readonly permissions: readonly Permission[] };
  readonly address: string;
}

interface AnswerHead {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}

/** What the answer depends on beside the address and who asks. */
const sentHeaders = [
  ...["accept", "accept-encoding", "content-type", "content-encoding", "idempotency-key", "if-match", "if-none-match"],
  ...["traceparent", "user-agent"],
];

/** What this process says of every answer by itself. */
const ownHeaders = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "server-timing",
  "transfer-encoding",
  "x-request-id",
]);

/** The answer of the process that gives it. Throws `unavailable` MARKET_ELSEWHERE where it does not come. */
export async function relayedAnswer(elsewhere: Elsewhere, request: Request, context: Asked): Promise<Response> {
  const { principal, body } = context;
  if (principal === null || context.vouched !== null) throw notHere(undefined);
  const { pathname, search } = new URL(request.url);
  const { userId, role, credential, rateClass } = principal;
  const head: RequestHead = {
    method: request.method,
    target: pathname + search,
    headers: [
      ...sentHeaders.flatMap((name) => {
        const value = request.headers.get(name);
        return value === null ? [] : [[name, value] as const];
      }),
      ["x-request-id", context.requestId],
    ],
    principal: { userId, role, credential, rateClass, permissions: [...principal.permissions] },
    address: context.clientAddress,
  };
  let answer: Uint8Array;
  try {
    answer = await elsewhere.ask(packed(head, body instanceof Uint8Array ? body : new Uint8Array(0)));
  } catch (error) {
    throw notHere(error);
  }
  const { head: told, body: bytes } = unpacked<AnswerHead>(answer);
  const headers = new Headers();
  for (const [name, value] of told.headers) headers.append(name, value);
  return new Response(told.status === 204 ? null : bytes.slice(), { status: told.status, headers });
}

/** The request that another process has taken, and who asks. */
export function takenRequest(bytes: Uint8Array): { readonly request: Request; readonly vouched: Vouched } {
  const { head, body } = unpacked<RequestHead>(bytes);
  const { method, target, principal, address } = head;
  const headers = new Headers();
  for (const [name, value] of head.headers) headers.append(name, value);
  if (body.length > 0) headers.set("content-length", String(body.length));
  const request = new Request(`http://localhost${target}`, {
    method,
    headers,
    ...(body.length > 0 && { body: body.slice() }),
  });
  return { request, vouched: { principal: { ...principal, permissions: new Set(principal.permissions) }, address } };
}

/** An answer as it is sent back. */
export async function packedAnswer(response: Response): Promise<Uint8Array> {
  const headers = [...response.headers].filter(([name]) => !ownHeaders.has(name));
  return packed(
    { status: response.status, headers } satisfies AnswerHead,
    new Uint8Array(await response.arrayBuffer()),
  );
}

/** The head's length, the head as JSON, the body. */
function packed(head: object, body: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, body]);
}

function unpacked<Head>(bytes: Uint8Array): { head: Head; body: Uint8Array } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 4 + buffer.readUInt32BE(0);
  return { head: JSON.parse(buffer.toString("utf8", 4, end)) as Head, body: buffer.subarray(end) };
}

function notHere(cause: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "MARKET_ELSEWHERE",
    detail: "The market is led by another process, which cannot be reached from here now.",
    hint: "Several processes share a market over a bus: set market_bus, and see that it is reached.",
    retryAfterSeconds: 1,
    ...(cause !== undefined && { cause }),
  });
}
