// The answer to a request that is refused for the load: the same problem document and headers as any other's, laid out beforehand,
// because under the load it is made more often than everything else together, and what it costs is taken from those
// who are served. It must never look at anything of the request but its id and its path.

import { instanceOf, type Problem, problemOf, problemText, Refusal } from "./problem";
import { pathOf } from "./request-context";
import type { RequestNames } from "./trace";

const overloaded: Problem = problemOf(
  new Refusal({
    kind: "unavailable",
    code: "OVERLOADED",
    detail: "More requests than this server can answer in time; retry after the time the answer names",
    headers: { "retry-after": "1" },
  }),
);

/** What makes such answers, all with the headers that every answer has. */
export function createShedAnswer(
  names: RequestNames,
  everyHeader: readonly (readonly [string, string])[],
): (request: Request) => { readonly answer: Response; readonly requestId: string; readonly traceId: string } {
  const mark = "\u0000";
  const [start, middle, end] = problemText(overloaded, { traceId: mark, path: mark }).split(JSON.stringify(mark));
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...overloaded.headers,
    ...Object.fromEntries(everyHeader),
    "server-timing": "total;dur=0.000",
    "x-request-id": "",
  };
  return (request) => {
    const requestId = names.requestId(request);
    const traceId = names.traceId(request);
    const text = `${start}${JSON.stringify(instanceOf(pathOf(request.url)))}${middle}"${traceId}"${end}`;
    headers["x-request-id"] = requestId;
    return { answer: new Response(text, { status: overloaded.status, headers }), requestId, traceId };
  };
}

/** What such an answer says, for those who count and log. */
export const shedCode = overloaded.code;
