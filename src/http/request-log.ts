// A line for every request once it is answered: all of them at level debug, slow ones and those that failed on this side at level
// info. Separate from the server because it decides nothing. It must never write a word of the request's but the id it may have
// brought: not its address, not a header, and of who asked only the user's id.

import type { Log } from "../foundation/log";
import { isServerFault } from "./problem";
import type { Answered } from "./server";

export interface RequestLogOptions {
  readonly log: Log;
  /** The log takes lines of level debug: else they are not even made. */
  readonly isEveryLogged: boolean;
  /** From how long on a request is slow. */
  readonly slowRequestMilliseconds: number;
}

/** What is to be told of each answer. */
export function createRequestLog(options: RequestLogOptions): (answered: Answered) => void {
  // Both bounds are read at each answer: they may change.
  const { log } = options;
  return (answered) => {
    const { milliseconds, status } = answered;
    if (isServerFault(status) || milliseconds >= options.slowRequestMilliseconds)
      log.info(fieldsOf(answered), "request");
    else if (options.isEveryLogged) log.debug(fieldsOf(answered), "request");
  };
}

function fieldsOf(answered: Answered): object {
  const { requestId, route, method, status, milliseconds, principal, problem, optionCount, engineMilliseconds } =
    answered;
  return {
    request_id: requestId,
    user_id: principal?.userId ?? null,
    method: route?.method ?? knownMethod(method),
    route: route?.pattern ?? null,
    status,
    ...(problem && { code: problem.code }),
    duration_ms: rounded(milliseconds),
    ...(optionCount !== null && { options: optionCount, engine_ms: rounded(engineMilliseconds) }),
  };
}

/** A method that is no word of HTTP's is the client's own, and is not repeated. */
function knownMethod(method: string): string {
  return /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method) ? method : "other";
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
