// Shows the API to people and programs: the OpenAPI document at two addresses, a page that reads it and one on how exact
// the numbers are, wholly from this server. The page is @elysiajs/swagger's; the plugin is not mounted itself, because it loads its script from
// another host, serves a document of its own (3.0, refused by validators) and declares no permission. It must never
// name another host.

import { createHash } from "node:crypto";
import { type DocumentDecoration, Elysia } from "elysia";
import { assert } from "../foundation/assert";
import { accuracyPagePath, referenceAssetPaths } from "../storage/assets";
import { asyncApiDocument } from "./asyncapi";
import { type DocumentInfo, openApiDocument } from "./openapi";
import type { Route } from "./routes";

const scriptAddress = "/docs/assets/reference.js";
const styleAddress = "/docs/assets/reference.css";

/** The plugin writes this host into its page whatever it is told; a page where it is missing has changed. */
const pluginVersionMark = "0";
const pluginScriptAddress = `https://unpkg.com/swagger-ui-dist@${pluginVersionMark}/swagger-ui-bundle.js`;

const assetCache = "public, max-age=3600";
const documentCache = "no-cache";

/** The WebSocket's document as text, as it stands in asyncapi.json. */
export function asyncApiText(info: DocumentInfo): string {
  return `${JSON.stringify(asyncApiDocument(info), null, 2)}\n`;
}

/** Routes for the documents. `routes` is asked when a document is first wanted, after all features are known. */
export function documentRoutes(options: { readonly info: DocumentInfo; readonly routes: () => readonly Route[] }) {
  const { info, routes } = options;
  let document: { readonly text: string; readonly limits: string } | null = null;
  let stream: string | null = null;
  let page: Promise<{ html: string; policy: string }> | null = null;

  function answerDocument(): Response {
    // It tells the limits of bodies, which may change.
    const limits = routes()
      .map(
        ({ bodyBytesMax, tables, texts }) =>
          `${bodyBytesMax} ${tables?.bytesMax} ${tables?.rowsMax} ${texts?.bytesMax}`,
      )
      .join();
    if (document?.limits !== limits) {
      document = { text: `${JSON.stringify(openApiDocument(routes(), info), null, 2)}\n`, limits };
    }
    return new Response(document.text, {
      headers: { "content-type": "application/json", "cache-control": documentCache },
    });
  }

  function answerStream(): Response {
    stream ??= asyncApiText(info);
    return new Response(stream, { headers: { "content-type": "application/json", "cache-control": documentCache } });
  }

  async function answerPage(): Promise<Response> {
    page ??= renderPage(info);
    const { html, policy } = await page;
    return new Response(html, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": documentCache,
      },
    });
  }

  /** The generated page as it is written: a table in Markdown is a table to the eye as well. */
  async function answerAccuracy(): Promise<Response> {
    const text = await Bun.file(accuracyPagePath).text();
    const html = `<!doctype html><meta charset="utf-8"><title>How exact bsopt is</title><pre>${Bun.escapeHTML(text)}</pre>\n`;
    return new Response(html, {
      headers: { "content-type": "text/html; charset=utf-8", "cache-control": documentCache },
    });
  }

  const asset = (path: string, type: string) =>
    new Response(Bun.file(path), { headers: { "content-type": type, "cache-control": assetCache } });
  const hidden = (operationId: string, summary: string): DocumentDecoration => ({
    permission: "public",
    hide: true,
    operationId,
    summary,
    tags: ["Documents"],
  });

  return new Elysia({ name: "documents" })
    .get("/openapi.json", answerDocument, { detail: hidden("openApi", "This API as OpenAPI 3.1") })
    .get("/asyncapi.json", answerStream, { detail: hidden("asyncApi", "The WebSocket as AsyncAPI 3.0") })
    .get("/swagger/json", answerDocument, { detail: hidden("openApiAlias", "This API as OpenAPI 3.1") })
    .get("/docs", answerPage, { detail: hidden("reference", "This API as a page") })
    .get("/swagger", answerPage, { detail: hidden("referenceAlias", "This API as a page") })
    .get("/docs/accuracy", answerAccuracy, { detail: hidden("accuracy", "How exact the kernel is") })
    .get(scriptAddress, () => asset(referenceAssetPaths.script, "text/javascript; charset=utf-8"), {
      detail: hidden("referenceScript", "The page's script"),
    })
    .get(styleAddress, () => asset(referenceAssetPaths.style, "text/css; charset=utf-8"), {
      detail: hidden("referenceStyle", "The page's style"),
    });
}

/** The plugin's page with its script taken from here, and the policy under which just that page can run. */
async function renderPage(info: DocumentInfo): Promise<{ html: string; policy: string }> {
  // Loaded for the page alone: with its themes it would cost every start tens of milliseconds.
  const { swagger } = await import("@elysiajs/swagger");
  const plugin = swagger({
    provider: "swagger-ui",
    path: "/page",
    version: pluginVersionMark,
    theme: styleAddress,
    autoDarkMode: false,
    documentation: { info: { ...info } },
    swaggerOptions: {
      url: "/openapi.json",
      // Without this the page would send the document's address to a validator on another host.
      validatorUrl: null,
      deepLinking: true,
      persistAuthorization: false,
    } as never,
  });
  const rendered = await (await plugin.handle(new Request("http://localhost/page"))).text();
  assert(rendered.includes(pluginScriptAddress), "the plugin's page no longer loads its script as expected");
  const html = rendered.replace(pluginScriptAddress, scriptAddress);
  const inline = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, text]) => `'sha256-${createHash("sha256").update(text!).digest("base64")}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src 'self' ${inline.join(" ")}`,
    // The interface sets styles on its elements and draws its icons from data addresses.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}
