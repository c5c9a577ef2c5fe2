// Starts a thread for the pool and tells when it speaks and when it is gone. Separate so that the pool can be tried with
// threads made of nothing: dying at the worst moment, never starting. It must not know what is sent.

/** A running thread. */
export interface Thread {
  post(message: unknown): void;
  /** Ends it at once; `onEnd` still follows. */
  terminate(): void;
}

/** Starts a thread. `onEnd` comes once, when nothing of it runs any more, whatever ended it. */
export type StartThread = (listeners: { readonly onMessage: () => void; readonly onEnd: () => void }) => Thread;

/**
 * Threads whose module is the given one, which must call serveKernel (worker.ts) where it finds itself in a thread. In the
 * executable and under `bun src/main.ts` that is main's own module: any other path is lost in one kind of build or another.
 */
export function threadsFrom(entrance: string): StartThread {
  return ({ onMessage, onEnd }) => {
    const worker = new Worker(entrance, { name: "kernel", smol: true });
    worker.addEventListener("message", onMessage);
    // Without a listener the failure would count as this process's own. What it was doing is done again elsewhere.
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      worker.terminate();
    });
    worker.addEventListener("close", onEnd, { once: true });
    return {
      post: (message) => worker.postMessage(message),
      terminate: () => worker.terminate(),
    };
  };
}
