/** The file of a search, and the search itself for somebody else: link, curl, terminal. */
import { useState } from "react";
import { addressOf } from "../api/client";
import { asked } from "../data/ask";
import { useHistogram } from "../data/results";
import { copied, notify } from "../frame/notices";
import { Popover } from "../frame/Popover";
import type { Address } from "../state/address";
import { useKeys } from "../state/keys";
import { asCommand, asCurl, isRelative, linkOf } from "./commands";
import "./share.css";

interface Props {
  address: Address;
  asOf: string; // "": other lines than those asked for are still in sight
  total: number | null;
}

export function Share({ address, asOf, total }: Props) {
  const [open, setOpen] = useState(false);
  const counted = useHistogram(address);
  const origin = window.location.origin;
  const range = counted.isPlaceholderData ? undefined : counted.data;
  const relative = () => void copied("Link", linkOf(origin, address));
  const frozen = () => {
    if (!range || !asOf) return notify("Wait until it is counted: only then the range is known");
    void copied("Frozen link", linkOf(origin, address, { start: range.start, end: range.end, as_of: asOf }));
  };
  // Where nothing is relative there is nothing to ask.
  const keyed = () => (isRelative(address) ? setOpen(!open) : relative());
  useKeys([{ key: "y", label: "Copy a link to this search", group: "View", run: keyed }]);
  return (
    <>
      <Popover label="Share ▾" name="Share" className="popover-right" open={open} onOpen={setOpen}>
        {(close) => (
          <ul className="share">
            {isRelative(address) ? (
              <>
                <Entry label="Copy link, keep relative" hint="times move on" run={relative} close={close} />
                <Entry
                  label="Copy link, freeze"
                  hint="range fixed, lines for an hour"
                  run={frozen}
                  close={close}
                />
              </>
            ) : (
              <Entry label="Copy link" hint="y" run={relative} close={close} />
            )}
            <Entry
              label="Copy as curl"
              hint="with $LOGBOOM_TOKEN"
              run={() => void copied("curl", asCurl(origin, address))}
              close={close}
            />
            <Entry
              label="Copy as command"
              hint={address.live ? "logboom tail" : "logboom search"}
              run={() => void copied("Command", asCommand(address, range))}
              close={close}
            />
          </ul>
        )}
      </Popover>
      <Popover label="Export ▾" name="Export" className="popover-right">
        {(close) => <Files address={address} asOf={asOf} total={total} close={close} />}
      </Popover>
    </>
  );
}

const FORMATS = [
  ["ndjson", "JSON lines"],
  ["csv", "CSV"],
] as const;

/** What is exported is what is shown: the same question under the same as_of. */
function Files({ address, asOf, total, close }: Props & { close: () => void }) {
  const params = { ...asked(address), as_of: asOf, order: address.order };
  const count = total === null ? "every line" : `${total.toLocaleString("en")} lines`;
  return (
    <ul className="share">
      {FORMATS.map(([format, label]) => (
        <li key={format}>
          <a href={addressOf("logs/export", { ...params, format })} download onClick={close}>
            <span>{label}</span>
            <span className="meta">{count}</span>
          </a>
        </li>
      ))}
      <li className="share-note meta">A last line in the file says whether it is complete.</li>
    </ul>
  );
}

interface EntryProps {
  label: string;
  hint: string;
  run: () => void;
  close: () => void;
}

function Entry({ label, hint, run, close }: EntryProps) {
  const chosen = () => {
    close();
    run();
  };
  return (
    <li>
      <button type="button" className="quiet" onClick={chosen}>
        <span>{label}</span>
        <span className="meta">{hint}</span>
      </button>
    </li>
  );
}
