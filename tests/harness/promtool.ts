// Prometheus' own checker, where it is installed; tests that need it are left out elsewhere and say so.

const path = Bun.which("promtool");

export const hasPromtool = path !== null;
if (!hasPromtool)
  process.stderr.write("left out: tests of alert rules need promtool on the PATH (package prometheus)\n");

/** Runs it; `output` is all it said. */
export async function promtool(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const child = Bun.spawn([path!, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err };
}
