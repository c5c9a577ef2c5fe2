// What every answer of a table route gets on its way out: a coding the client accepts, the headers caches go by, and the
// end of its lease on memory once the last byte is taken. Separate from server.ts because none of it concerns other routes.

import type { BodyLease } from "./body-budget";
import { encoded } from "./content-coding";
import { acceptedCoding } from "./media";

/** Answers below this are not worth compressing. */
const codedBytesMin = 1024;

/** The answer as it goes out. Gives the lease back at once where the answer holds nothing of the body any more. */
export function finishedTable(answer: Response, request: Request, lease: BodyLease | undefined): Response {
  const coding = answer.ok && isWorthCoding(answer) ? acceptedCoding(request.headers.get("accept-encoding")) : null;
  if (answer.ok) answer.headers.append("vary", "Accept, Accept-Encoding");
  const isHeld = lease?.isHeld === true && answer.ok;
  if (!isHeld) lease?.release();
  if (coding === null && !isHeld) return answer;
  let { body } = answer;
  if (body === null) {
    lease?.release();
    return answer;
  }
  const headers = new Headers(answer.headers);
  if (coding !== null) {
    body = encoded(body, coding);
    headers.set("content-encoding", coding);
    headers.delete("content-length");
  }
  if (isHeld) body = endingWith(body, request.signal, () => lease.release());
  return new Response(body, { status: answer.status, headers });
}

function isWorthCoding({ headers }: Response): boolean {
  const length = headers.get("content-length");
  return length === null || Number(length) >= codedBytesMin;
}

/** The same stream; `end` is called once it is read to its end, fails, or is given up. */
function endingWith(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  end: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  signal.addEventListener("abort", end, { once: true });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await reader.read();
        if (!next.done) return controller.enqueue(next.value);
        end();
        controller.close();
      } catch (error) {
        end();
        throw error;
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
}
