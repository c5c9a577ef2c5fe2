// What can be wrong with a setting beyond its own form: addresses with bits behind their prefix, paces of routes that do not exist, a
// sender that is no address. Separate because it takes knowledge of several rooms; whoever reads settings asks here, so that every
// fault is told at once, at the start, by `bsopt config check`, and of a change at run time.

import { isS3Address, parseS3Address } from "../adapters/s3/object-store";
import { parseSender } from "../adapters/smtp/mail";
import { buildInfo } from "../config/build-info";
import { loadConfig, type SettingCheck } from "../config/config";
import { parseEndpointLimit } from "../config/rate-limits";
import { settings } from "../config/settings";
import { parseAddressBlock } from "../domain/address";
import { systemClock } from "../foundation/clock";
import { silentLog } from "../foundation/log";
import { systemRandom } from "../foundation/random";
import { isKnownLimit } from "../http/limits";
import type { Route } from "../http/routes";
import { declaredServer } from "./routes";

/** The rules. `routes` are the server's where there is one; else they are taken from the declarations. */
export function settingChecks(routes: () => readonly Route[] = declaredRoutes): readonly SettingCheck[] {
  return [
    {
      key: "trusted_proxies",
      faultsOf: (value) =>
        (value as string[])
          .filter((text) => parseAddressBlock(text) === null)
          .map((text) => `must be addresses or CIDR blocks without bits behind their prefix, which ${text} is not`),
    },
    {
      key: "endpoint_limits",
      faultsOf(value) {
        // Known to be right by a test; looking up routes would cost every start.
        if (JSON.stringify(value) === defaultEndpointLimits) return [];
        const known = routes();
        return (value as string[])
          .filter((text) => !isKnownLimit(parseEndpointLimit(text)!, known))
          .map((text) => `must name routes as the API's document does, with :id for {id}: there is none for ${text}`);
      },
    },
    {
      key: "backup_dir",
      faultsOf: (value) =>
        isS3Address(value as string) && parseS3Address(value as string) === null ? ["must be s3://bucket/prefix"] : [],
    },
    {
      key: "mail_from",
      faultsOf: (value) =>
        parseSender(value as string) === null ? ["must be an address, or a name and an address in angle brackets"] : [],
    },
  ];
}

const defaultEndpointLimits = JSON.stringify(settings.find(({ key }) => key === "endpoint_limits")?.default);

function declaredRoutes(): readonly Route[] {
  const config = loadConfig({ flags: {}, environment: {}, file: null });
  const parts = { build: buildInfo, clock: systemClock, random: systemRandom, log: silentLog };
  return declaredServer({ config, ...parts }).routes.routes;
}
