/** The explorer: asks on top, the counts over time, and below them what was found. */

import { Facets } from "./facets/FacetList";
import { TopBar } from "./frame/TopBar";
import { Histogram } from "./histogram/Histogram";
import { Lines } from "./list/Lines";
import { QueryBar } from "./query/QueryBar";
import { useAddress } from "./state/address";
import { TimePicker } from "./time/TimePicker";

export function App() {
  const address = useAddress();
  return (
    <div className="explorer">
      <TopBar />
      <div className="asking">
        <QueryBar address={address} />
        <TimePicker address={address} />
      </div>
      <Histogram address={address} />
      <div className="found">
        <Facets address={address} />
        <Lines address={address} />
      </div>
    </div>
  );
}
