/** What can be done with the whole list: its columns, its form, its file, its link. */
import { Popover } from "../frame/Popover";
import { Share } from "../share/Share";
import type { Address } from "../state/address";
import { prefer, usePreferences } from "../state/preferences";
import { Columns } from "./Columns";
import { turnWrap } from "./walk";

interface Props {
  address: Address;
  asOf: string;
  total: number | null;
}

export function Toolbar({ address, asOf, total }: Props) {
  const density = usePreferences().density ?? "compact";
  return (
    <div className="toolbar" role="toolbar" aria-label="The list">
      <Popover label="Columns ▾" name="Columns">
        {() => <Columns address={address} />}
      </Popover>
      <button
        type="button"
        className="quiet"
        aria-pressed={address.wrap}
        title="Wrap long lines (w)"
        onClick={() => turnWrap(address)}
      >
        Wrap
      </button>
      <button
        type="button"
        className="quiet"
        aria-pressed={density === "cosy"}
        title="Rows of 28 instead of 22 pixels"
        onClick={() => prefer({ density: density === "cosy" ? "compact" : "cosy" })}
      >
        Cosy
      </button>
      <span className="toolbar-space" />
      <Share address={address} asOf={asOf} total={total} />
    </div>
  );
}
