// The pages behind the links in mails, in a real browser as a person meets them: with the mail in hand, by keyboard and by mouse, in
// light and dark and on a telephone; what they say when something is wrong; and that their policy stops nothing of theirs.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Browser, type Page } from "../harness/browser";
import { Installation, type Serving } from "../harness/executable";
import { tokenInMail } from "../harness/mail-server";
import { until } from "../harness/storage";

const installation = new Installation();
let serving: Serving;
let browser: Browser;
beforeAll(async () => {
  serving = await installation.serve();
  browser = await Browser.open();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await serving?.stop();
  installation.remove();
});

async function post(path: string, body: object): Promise<{ status: number; code: string | null }> {
  const response = await fetch(`${serving.url}/api/v1/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const json = (await response.json()) as { code?: string };
  return { status: response.status, code: json.code ?? null };
}

const seen = new Set<string>();
/** The link in the next mail with one to that address. */
async function nextLink(to: string): Promise<string> {
  const folder = installation.path("bsopt-data", "mail");
  const links = () =>
    (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) => {
      if (!name.endsWith(".eml") || seen.has(name)) return [];
      const text = readFileSync(`${folder}/${name}`, "utf8").replaceAll("=\r\n", "");
      const path = /\/account\/[a-z-]+/.exec(text)?.[0];
      return path !== undefined && text.includes(`To: ${to}`) ? [{ name, path, token: tokenInMail(text) }] : [];
    });
  await until(`a mail came to ${to}`, () => links().length > 0);
  const [{ name, path, token } = { name: "", path: "", token: "" }] = links();
  seen.add(name);
  return `${serving.url}${path}#${token}`;
}

async function registered(email: string, password: string): Promise<string> {
  expect((await post("register", { email, password })).status).toBe(202);
  return nextLink(email);
}

async function opened(url: string): Promise<Page> {
  const page = await browser.page();
  await page.look({ width: 1000 });
  await page.open(url);
  return page;
}

const said = (kind: string) => `document.querySelector("output").className === "${kind}"`;
const isFormThere = `!document.querySelector("form").hidden`;

/** Nothing failed by itself, nothing was stopped, and only this server was asked. */
function requireQuiet(page: Page): void {
  expect(page.faults).toEqual([]);
  expect(page.requests.filter((url) => !url.startsWith(serving.url) && url !== "about:blank")).toEqual([]);
}

describe("the pages behind the links in mails", () => {
  test("S1.02 confirm an address by keyboard alone, and the password typed there is the one that signs in", async () => {
    const link = await registered("ada@example.org", "seven-green-boats");
    const page = await opened(link);
    expect(await page.evaluate("document.title")).toBe("Confirm your address · bsopt");
    // The token has left the address, and with it history and whatever looks over a shoulder.
    expect(await page.evaluate("location.href")).toBe(link.split("#")[0]!);
    expect((await post("login", { email: "ada@example.org", password: "seven-green-boats" })).code).toBe(
      "EMAIL_UNVERIFIED",
    );
    await page.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("password");
    await page.type("eight-blue-trains");
    await page.press("Enter");
    await page.until(said("good"));
    expect(await page.text()).toContain("Your address is confirmed. You can sign in now");
    expect(await page.evaluate(isFormThere)).toBe(false);
    expect((await post("login", { email: "ada@example.org", password: "eight-blue-trains" })).status).toBe(200);
    expect((await post("login", { email: "ada@example.org", password: "seven-green-boats" })).status).toBe(401);
    requireQuiet(page);
    const again = await opened(link);
    await again.evaluate(`document.querySelector("#password").focus()`);
    await again.type("eight-blue-trains");
    await again.press("Enter");
    await again.until(said("bad"));
    expect(await again.text()).toContain("This link does not work any more");
    requireQuiet(again);
  }, 60_000);

  test("S1.02 set a password by mouse, after saying what is wrong with the first one", async () => {
    await post("password/forgot", { email: "ada@example.org" });
    const page = await opened(await nextLink("ada@example.org"));
    await page.click("#password");
    await page.type("password1");
    await page.click("button");
    await page.until(said("bad"));
    expect(await page.text()).toContain("The password is among the most common passwords.");
    expect(
      await page.evaluate(`[document.activeElement.id, document.activeElement.getAttribute("aria-invalid")]`),
    ).toEqual(["password", "true"]);
    await page.evaluate(`document.querySelector("#password").select()`);
    await page.type("nine-red-balloons");
    expect(await page.evaluate(`document.querySelector("#password").getAttribute("aria-invalid")`)).toBeNull();
    await page.click("#show");
    expect(await page.evaluate(`document.querySelector("#password").type`)).toBe("text");
    await page.click("button");
    await page.until(said("good"));
    expect(await page.text()).toContain("Your password is set.");
    expect((await post("login", { email: "ada@example.org", password: "nine-red-balloons" })).status).toBe(200);
    requireQuiet(page);
  }, 60_000);

  test("S1.02 do nothing by being opened, and without a token say where they are opened from", async () => {
    const link = await registered("bob@example.org", "seven-green-boats");
    for (let time = 0; time < 2; time++) requireQuiet(await opened(link));
    expect((await post("login", { email: "bob@example.org", password: "seven-green-boats" })).code).toBe(
      "EMAIL_UNVERIFIED",
    );
    const bare = await opened(link.split("#")[0]!);
    expect(await bare.evaluate(isFormThere)).toBe(false);
    expect(await bare.text()).toContain("This page is opened by the link in a mail.");
    requireQuiet(bare);
  }, 60_000);

  test("S1.02 send nothing while the field is empty or too short, and once where the button is pressed twice", async () => {
    const page = await opened(await registered("cleo@example.org", "seven-green-boats"));
    const posts = () => page.requests.filter((url) => url.endsWith("/verify-email") && url.includes("/api/")).length;
    await page.click("button");
    await page.click("#password");
    await page.type("short");
    await page.press("Enter");
    expect(posts()).toBe(0);
    await page.type(" no longer");
    await page.evaluate(
      `(() => { const form = document.querySelector("form"); form.requestSubmit(); form.requestSubmit(); })()`,
    );
    await page.until(said("good"));
    expect(posts()).toBe(1);
  }, 60_000);

  for (const width of [320, 1000]) {
    for (const isDark of [false, true]) {
      test(`fit ${width} pixels in ${isDark ? "dark" : "light"}, readable, with a field and a button large enough to touch`, async () => {
        const page = await browser.page();
        await page.look({ width, isDark });
        for (const path of ["verify-email", "reset-password"]) {
          await page.open(`${serving.url}/account/${path}#${"A".repeat(43)}`);
          expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
          const heights = await page.evaluate(
            `["#password", "button"].map((one) => document.querySelector(one).getBoundingClientRect().height)`,
          );
          expect(Math.min(...heights)).toBeGreaterThanOrEqual(44);
          // WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for what a field is known by.
          const ratios = await page.evaluate(contrasts);
          expect([path, ratios.filter(([, ratio, least]: [string, number, number]) => ratio < least)]).toEqual([
            path,
            [],
          ]);
          expect(ratios.length).toBeGreaterThan(5);
        }
        requireQuiet(page);
      }, 60_000);
    }
  }

  test("say so where the server is away or answers what is no answer", async () => {
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (request.method === "POST") return new Response("<h1>Bad gateway</h1>", { status: 502 });
        const answer = await fetch(serving.url + pathname);
        return new Response(await answer.text(), { headers: answer.headers });
      },
    });
    const page = await browser.page();
    await page.open(`http://127.0.0.1:${proxy.port}/account/verify-email#${"A".repeat(43)}`);
    const tried = async () => {
      await page.evaluate(`document.querySelector("#password").focus()`);
      await page.type("seven-green-boats");
      await page.press("Enter");
      await page.until(said("bad"));
      expect(await page.evaluate(`document.querySelector("button").disabled`)).toBe(false);
      return page.text();
    };
    expect(await tried()).toContain("The server answered 502; try again.");
    await proxy.stop(true);
    await page.evaluate(`document.querySelector("#password").value = ""`);
    expect(await tried()).toContain("The server cannot be reached; try again.");
  }, 60_000);

  test("S2.17 run no script but their own: one that is slipped in is stopped, and these tests would see it", async () => {
    const page = await opened(`${serving.url}/account/verify-email#${"A".repeat(43)}`);
    await page.evaluate(
      `(() => { const script = document.createElement("script"); script.textContent = "window.hit = 1"; document.body.append(script); })()`,
    );
    expect(await page.evaluate("window.hit")).toBeUndefined();
    await until("the browser told it", () => page.faults.some((fault) => fault.startsWith("policy: script-src")));
  }, 60_000);
});

/** What each visible text, and each edge of a field, has of contrast with what lies behind; and how much it must have. */
const contrasts = `(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ratio = (one, other) => { const [a, b] = [light(one), light(other)]; return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
  const behind = (element) => { for (let at = element; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const shown = [...document.querySelectorAll("body *")].filter((one) => one.offsetParent !== null || getComputedStyle(one).position === "fixed");
  const texts = shown.filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ""));
  return [
    ...texts.map((one) => [one.tagName + " " + one.className, ratio(parse(getComputedStyle(one).color), behind(one)), 4.5]),
    ...shown.filter((one) => one.matches("input[type=password]")).map((one) => ["edge", ratio(parse(getComputedStyle(one).borderTopColor), behind(one.parentElement)), 3]),
  ];
})()`;
