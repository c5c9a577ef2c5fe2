// A real Chromium without a window, steered over its DevTools protocol: what a person would see, press and type, and what a policy would
// have stopped. Found on the PATH; a test that needs it fails where it is missing. Ends with `close`.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// biome-ignore lint/suspicious/noExplicitAny: the protocol's answers are judged by what a test expects of them
type Loose = any;

/** Key presses as the protocol wants them. */
const keys = {
  Tab: { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 },
  Enter: { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  Space: { key: " ", code: "Space", windowsVirtualKeyCode: 32, text: " " },
} as const;

export class Browser {
  readonly #child: Bun.Subprocess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (value: Loose) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Set<(message: Loose) => void>();
  #nextId = 1;

  private constructor(child: Bun.Subprocess, folder: string, socket: WebSocket) {
    this.#child = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      const waiting = this.#waiting.get(message.id);
      if (waiting === undefined) for (const listener of this.#listeners) listener(message);
      else {
        this.#waiting.delete(message.id);
        if (message.error) waiting.reject(new Error(`${message.error.message}`));
        else waiting.resolve(message.result);
      }
    });
  }

  static async open(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "bsopt-browser-"));
    const child = Bun.spawn(
      [
        "chromium",
        ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
        ...["--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"],
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const decoder = new TextDecoder();
    const reader = child.stderr.getReader();
    let said = "";
    let address: string | undefined;
    while (address === undefined) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`chromium ended: ${said.slice(0, 500)}`);
      said += decoder.decode(value, { stream: true });
      address = /DevTools listening on (ws:\/\/\S+)/.exec(said)?.[1];
    }
    void (async () => {
      while (!(await reader.read()).done);
    })();
    const socket = new WebSocket(address);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error("no word with chromium")), { once: true });
    });
    return new Browser(child, folder, socket);
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Loose> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Loose>();
    this.#waiting.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    return promise;
  }

  onMessage(listener: (message: Loose) => void): void {
    this.#listeners.add(listener);
  }

  /** A page of its own, with nothing of another's. */
  async page(): Promise<Page> {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return Page.over(this, sessionId);
  }

  async close(): Promise<void> {
    this.#socket.close();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Page {
  readonly #browser: Browser;
  readonly #sessionId: string;
  /** What went wrong by itself: errors of scripts, lines of the console, and what a policy stopped. */
  readonly faults: string[] = [];
  /** Every address it asked for. */
  readonly requests: string[] = [];

  private constructor(browser: Browser, sessionId: string) {
    this.#browser = browser;
    this.#sessionId = sessionId;
  }

  static async over(browser: Browser, sessionId: string): Promise<Page> {
    const page = new Page(browser, sessionId);
    browser.onMessage((message) => {
      if (message.sessionId === sessionId) page.#hear(message);
    });
    for (const domain of ["Page", "Runtime", "Log", "Network", "Audits"]) await page.#send(`${domain}.enable`);
    return page;
  }

  #send(method: string, params: object = {}): Promise<Loose> {
    return this.#browser.send(method, params, this.#sessionId);
  }

  #hear({ method, params }: Loose): void {
    if (method === "Runtime.exceptionThrown") this.faults.push(params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled") this.faults.push(`console: ${params.args[0]?.value}`);
    if (method === "Audits.issueAdded" && params.issue.code === "ContentSecurityPolicyIssue") {
      this.faults.push(`policy: ${params.issue.details.contentSecurityPolicyIssueDetails.violatedDirective}`);
    }
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
  }

  /** As on a screen of that width, in light or dark colours. */
  async look({ width, height = 800, isDark = false }: { width: number; height?: number; isDark?: boolean }) {
    await this.#send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: width < 600 },
    });
    const features = [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }];
    await this.#send("Emulation.setEmulatedMedia", { features });
  }

  async open(url: string): Promise<void> {
    // A page of its own each time: the same address with another part behind # would not be loaded anew.
    await this.#send("Page.navigate", { url: "about:blank" });
    await this.#send("Page.navigate", { url });
    await this.until(`document.readyState === "complete" && location.href.startsWith("http")`);
  }

  async evaluate(expression: string): Promise<Loose> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  /** Waits for the expression to hold, for ten seconds. */
  async until(expression: string): Promise<void> {
    const end = performance.now() + 10_000;
    while (!(await this.evaluate(expression))) {
      if (performance.now() > end) throw new Error(`never: ${expression}; faults: ${this.faults.join("; ")}`);
      await Bun.sleep(10);
    }
  }

  async press(name: keyof typeof keys): Promise<void> {
    await this.#send("Input.dispatchKeyEvent", { type: "keyDown", ...keys[name] });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...keys[name] });
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#send("Input.insertText", { text });
  }

  /** Presses with the mouse, in the middle of the element. */
  async click(selector: string): Promise<void> {
    const [x, y] = await this.evaluate(
      `(() => { const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`,
    );
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.#send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  /** What a person reads. */
  text(): Promise<string> {
    return this.evaluate("document.body.innerText");
  }

  async screenshot(path: string): Promise<void> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png" });
    writeFileSync(path, Buffer.from(data, "base64"));
  }
}
