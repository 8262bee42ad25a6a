/** What is under the pointer: from when to when, how many lines, and how many of each kind. */
import type { Histogram } from "../api/types";
import type { Address } from "../state/address";
import { called } from "../time/range";
import { type Bar, classOf, nameOf, stacked } from "./chart";

interface Props {
  bar: Bar;
  counted: Histogram;
  address: Address;
  right: boolean; // the bar is in the right half, so it hangs to its left
}

export function Tip({ bar, counted, address, right }: Props) {
  const index = counted.times.indexOf(bar.from);
  const order = stacked(counted.series, address.by);
  const style = right ? { right: `calc(100% - ${bar.x}px + 8px)` } : { left: bar.x + bar.width + 8 };
  return (
    <div className="menu bars-tip meta" style={style}>
      <p>
        {called({ start: bar.from, end: bar.to }, address.tz, Date.now())}
        {bar.clipped && ", cut by the range"}
        {bar.uncounted && ", not counted in full"}
      </p>
      <table>
        <tbody>
          <tr>
            <th scope="row">
              <b>lines</b>
            </th>
            <td>
              <b>{bar.total.toLocaleString("en")}</b>
            </td>
          </tr>
          {order.map((series, rank) =>
            series.counts[index] ? (
              <tr key={series.kind + series.value}>
                <th scope="row">
                  <span className={`swatch ${classOf(series, rank, address.by)}`} /> {nameOf(series)}
                </th>
                <td>{series.counts[index]?.toLocaleString("en")}</td>
              </tr>
            ) : null,
          )}
        </tbody>
      </table>
    </div>
  );
}
