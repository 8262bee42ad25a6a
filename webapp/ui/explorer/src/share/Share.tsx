/** The file of a search, and the search itself for somebody else: link, curl, terminal. */
import { addressOf } from "../api/client";
import { asked } from "../data/ask";
import { useHistogram } from "../data/results";
import { copied } from "../frame/notices";
import { Popover } from "../frame/Popover";
import type { Address } from "../state/address";
import { useKeys } from "../state/keys";
import { asCommand, asCurl, linkOf } from "./commands";
import "./share.css";

interface Props {
  address: Address;
  asOf: string;
  total: number | null;
}

export function Share({ address, asOf, total }: Props) {
  const counted = useHistogram(address);
  const origin = window.location.origin;
  const range = counted.isPlaceholderData ? undefined : counted.data;
  const relative = () => void copied("Link", linkOf(origin, address));
  const frozen = () =>
    range &&
    void copied("Frozen link", linkOf(origin, address, { start: range.start, end: range.end, as_of: asOf }));
  useKeys([{ key: "y", label: "Copy a link to this search", group: "View", run: relative }]);
  return (
    <>
      <Popover label="Share ▾" name="Share" className="popover-right">
        {(close) => (
          <ul className="share">
            <Entry label="Copy link" hint="times stay relative (y)" run={relative} close={close} />
            <Entry label="Copy frozen link" hint="these very lines, for an hour" run={frozen} close={close} />
            <Entry
              label="Copy as curl"
              hint="with $LOGBOOM_TOKEN"
              run={() => void copied("curl", asCurl(origin, address))}
              close={close}
            />
            <Entry
              label="Copy as command"
              hint="for the terminal"
              run={() => void copied("Command", asCommand(address))}
              close={close}
            />
          </ul>
        )}
      </Popover>
      <Popover label="Export ▾" name="Export" className="popover-right">
        {(close) => (
          <ul className="share">
            {(["ndjson", "csv"] as const).map((format) => (
              <li key={format}>
                <a
                  href={addressOf("logs/export", {
                    ...asked(address),
                    as_of: asOf,
                    order: address.order,
                    format,
                  })}
                  download
                  onClick={close}
                >
                  <span>{format === "csv" ? "CSV" : "JSON lines"}</span>
                  <span className="meta">{total === null ? "" : `${total.toLocaleString("en")} lines`}</span>
                </a>
              </li>
            ))}
          </ul>
        )}
      </Popover>
    </>
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
