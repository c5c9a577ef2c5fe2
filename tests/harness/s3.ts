// A service that speaks as much S3 as backups need, over a real socket, and takes nothing that is not properly signed: each request's
// Signature Version 4 is computed again from what arrived (Amazon's "Authenticating Requests: Using the Authorization Header").
// It can be told to fail, to be silent, and to forget what it was half given.

import { createHash, createHmac } from "node:crypto";

export interface S3Double {
  readonly url: string;
  readonly bucket: string;
  readonly objects: Map<string, Uint8Array>;
  /** Method and path of each request that was taken. */
  readonly taken: string[];
  /** How requests are disturbed; null: not at all. Given method and key. */
  disturb:
    | ((method: string, key: string, query: URLSearchParams) => "refuse" | "fail" | "silent" | "cut" | null)
    | null;
  stop(): Promise<void>;
}

export const s3Keys = { accessKeyId: "AKIATESTTESTTEST", secretAccessKey: "test/secret+canary=key" };

const region = "eu-test-1";
export const s3Region = region;

export function startS3(bucket = "backups"): S3Double {
  const objects = new Map<string, Uint8Array>();
  const uploads = new Map<string, Map<number, Uint8Array>>();
  const taken: string[] = [];
  const silent: (() => void)[] = [];
  let uploadCount = 0;

  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 60, fetch: answer });
  const double: S3Double = {
    url: server.url.origin,
    bucket,
    objects,
    taken,
    disturb: null,
    async stop() {
      for (const release of silent) release();
      await server.stop(true);
    },
  };

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const fault = signatureFault(request, url);
    if (fault !== null) return problem(403, "SignatureDoesNotMatch", fault);
    const path = decodeURIComponent(url.pathname);
    if (path !== `/${bucket}` && !path.startsWith(`/${bucket}/`)) return problem(404, "NoSuchBucket", path);
    const key = path.slice(bucket.length + 2);
    const { searchParams: query } = url;
    const { method } = request;
    const how = double.disturb?.(method, key, query) ?? null;
    if (how === "refuse") return problem(403, "AccessDenied", "not allowed");
    if (how === "fail") return problem(500, "InternalError", "try again");
    if (how === "silent") await new Promise<void>((resolve) => silent.push(resolve));
    const bytes = new Uint8Array(await request.arrayBuffer());
    const body = how === "cut" ? bytes.slice(0, -1) : bytes;
    taken.push(`${method} ${key}`);
    if (query.has("list-type")) return list(query);
    if (method === "POST" && query.has("uploads")) {
      const id = `upload-${++uploadCount}`;
      uploads.set(id, new Map());
      return xml(
        `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    const parts = uploads.get(query.get("uploadId") ?? "");
    if (query.has("uploadId") && parts === undefined) return problem(404, "NoSuchUpload", "no such upload");
    if (method === "PUT" && parts) {
      parts.set(Number(query.get("partNumber")), body);
      return new Response(null, { headers: { etag: `"${tagOf(body)}"` } });
    }
    if (method === "POST" && parts) {
      const asked = [...new TextDecoder().decode(body).matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((m) =>
        Number(m[1]),
      );
      const joined = asked.map((number) => parts.get(number));
      if (joined.some((part) => part === undefined)) return problem(400, "InvalidPart", "a part is missing");
      if (joined.slice(0, -1).some((part) => part!.length < 5 * 1024 * 1024)) return problem(400, "EntityTooSmall", "");
      uploads.delete(query.get("uploadId")!);
      objects.set(key, new Uint8Array(Buffer.concat(joined as Uint8Array[])));
      return xml(`<CompleteMultipartUploadResult><ETag>"x-${asked.length}"</ETag></CompleteMultipartUploadResult>`);
    }
    if (method === "DELETE") {
      uploads.delete(query.get("uploadId") ?? "");
      if (!query.has("uploadId")) objects.delete(key);
      return new Response(null, { status: 204 });
    }
    if (method === "PUT") {
      objects.set(key, body);
      return new Response(null, { headers: { etag: `"${tagOf(body)}"` } });
    }
    const found = objects.get(key);
    if (found === undefined)
      return method === "HEAD" ? new Response(null, { status: 404 }) : problem(404, "NoSuchKey", key);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
    const slice = range ? found.slice(Number(range[1]), range[2] === "" ? undefined : Number(range[2]) + 1) : found;
    const headers = { etag: `"${tagOf(found)}"`, "last-modified": new Date(0).toUTCString() };
    if (method === "HEAD")
      return new Response(null, { headers: { ...headers, "content-length": String(found.length) } });
    return new Response(slice, { status: range ? 206 : 200, headers });
  }

  function list(query: URLSearchParams): Response {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? "";
    const pageMax = Math.min(Number(query.get("max-keys") ?? 1000), 3);
    const all = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = all.slice(0, pageMax);
    const isTruncated = all.length > page.length;
    const contents = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>${objects.get(key)!.length}</Size></Contents>`,
    );
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    return xml(
      `<ListBucketResult><Name>${bucket}</Name><KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  }

  return double;
}

/** Null where the request is signed by the test's key for just what arrived. */
function signatureFault(request: Request, url: URL): string | null {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.get("authorization") ?? "",
    );
  if (match === null) return "no signature";
  const [, accessKey, date, signedRegion, names, signature] = match;
  const time = request.headers.get("x-amz-date") ?? "";
  if (accessKey !== s3Keys.accessKeyId || signedRegion !== region || !time.startsWith(date!))
    return "another key, region or day";
  const signed = names!.split(";");
  if (!["host", "x-amz-content-sha256", "x-amz-date"].every((name) => signed.includes(name)))
    return "a head is not signed";
  const query = url.search
    .slice(1)
    .split("&")
    .filter((part) => part !== "")
    .map((part) => (part.includes("=") ? part : `${part}=`))
    .sort()
    .join("&");
  const heads = signed.map((name) => `${name}:${(request.headers.get(name) ?? "").trim()}\n`).join("");
  const canonical = [
    request.method,
    url.pathname,
    query,
    heads,
    names,
    request.headers.get("x-amz-content-sha256") ?? "",
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  let key: string | Buffer = `AWS4${s3Keys.secretAccessKey}`;
  for (const part of [date!, region, "s3", "aws4_request"]) key = createHmac("sha256", key).update(part).digest();
  const expected = createHmac("sha256", key).update(toSign).digest("hex");
  return expected === signature ? null : "the signature is another";
}

function tagOf(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`, {
    headers: { "content-type": "application/xml" },
  });
}

function problem(status: number, code: string, message: string): Response {
  return new Response(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}
