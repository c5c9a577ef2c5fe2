// The one file that knows where embedded files are: inside the executable every module has the same folder, so a
// path made anywhere else would be wrong there. It only reads; what the bytes mean is their user's business.

import { readFileSync } from "node:fs";
import referenceStylePath from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import referenceScriptPath from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import kernelWasmPath from "../../dist/kernel.wasm" with { type: "file" };
import accuracyPagePath from "../../docs/reference/accuracy.md" with { type: "file" };

/** The wasm kernel this program was built with. Throws the file system's error where the build left it out. */
export function kernelWasmBytes(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(kernelWasmPath));
}

/** Where the embedded script and style of the API's reference page lie; they are read when first asked for. */
export const referenceAssetPaths = { script: referenceScriptPath, style: referenceStylePath } as const;

/** The generated page on how exact the kernel is, as Markdown; read when it is first asked for. */
export { accuracyPagePath };
