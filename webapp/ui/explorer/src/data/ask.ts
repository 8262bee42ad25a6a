/** The address as the parameters that every reading endpoint shares. */
import type { Params } from "../api/client";
import type { Address } from "../state/address";

export function zone(tz: string): string {
  return tz === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" : tz;
}

/** `tz` only matters for times without a zone and for the calendar of the histogram. */
export function asked(address: Address): Params {
  const { q, start, end, tz, as_of } = address;
  return { q, start, end, tz: zone(tz), as_of };
}
