/** The explorer: the question on top, the counts over time, and below them fields and lines. */
import { useState } from "react";
import { Offers } from "./empty/Offers";
import { Facets } from "./facets/FacetList";
import { Dialog } from "./frame/Dialog";
import { Notice } from "./frame/Notice";
import { useNarrow } from "./frame/narrow";
import { Side } from "./frame/Side";
import { TopBar } from "./frame/TopBar";
import { Histogram } from "./histogram/Histogram";
import { Lines } from "./list/Lines";
import { QueryBar } from "./query/QueryBar";
import { type Address, go, useAddress } from "./state/address";
import { useKeys } from "./state/keys";
import { TimePicker } from "./time/TimePicker";
import { ValueMenu } from "./values/ValueMenu";
import "./frame/frame.css";

export function App() {
  const address = useAddress();
  const narrow = useNarrow();
  const [filters, setFilters] = useState(false);
  return (
    <div className="explorer">
      <a className="skip" href="#lines">
        Skip to the lines
      </a>
      <h1 className="hidden">Search the lines</h1>
      <TopBar />
      <div className="asking">
        <QueryBar address={address} />
        <TimePicker address={address} />
        <Live address={address} />
        {narrow && (
          <button type="button" className="filters" onClick={() => setFilters(true)}>
            Fields
          </button>
        )}
      </div>
      <Histogram address={address} />
      <div className="found">
        {!narrow && (
          <Side>
            <Facets address={address} />
          </Side>
        )}
        <main id="lines" className="lines-place" tabIndex={-1}>
          <Offers address={address} />
          <Lines address={address} />
        </main>
      </div>
      {narrow && filters && (
        <Dialog title="Fields" sheet onClose={() => setFilters(false)}>
          <Facets address={address} />
        </Dialog>
      )}
      <ValueMenu />
      <Notice />
    </div>
  );
}

function Live({ address }: { address: Address }) {
  const turn = () => go({ live: !address.live, context: "" });
  useKeys([{ key: "l", label: "Live: lines as they arrive", group: "View", run: turn }]);
  return (
    <button
      type="button"
      className="live"
      aria-pressed={address.live}
      title="Lines as they arrive (l)"
      onClick={turn}
    >
      <span className="live-dot" aria-hidden="true" />
      Live
    </button>
  );
}
