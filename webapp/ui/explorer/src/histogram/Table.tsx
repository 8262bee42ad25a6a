/** The same numbers as a table, for who cannot see the bars or wants to copy them; a time zooms into its row. */
import type { Histogram } from "../api/types";
import type { Address } from "../state/address";
import { formatFull } from "../time/show";
import { nameOf, stacked } from "./chart";
import { zoom } from "./zoom";

interface Props {
  counted: Histogram;
  address: Address;
  onClose: () => void;
}

export function Table({ counted, address, onClose }: Props) {
  const order = stacked(counted.series, address.by);
  const into = (index: number) => {
    onClose();
    zoom(address, counted.times[index] ?? counted.start, counted.times[index + 1] ?? counted.end);
  };
  return (
    <table className="counts">
      <caption className="hidden">Lines from each time on, {counted.step} long</caption>
      <thead>
        <tr>
          <th scope="col">from</th>
          <th scope="col">lines</th>
          {order.map((series) => (
            <th scope="col" key={series.kind + series.value}>
              {nameOf(series)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {counted.times.map((from, index) => (
          <tr key={from}>
            <th scope="row">
              <button type="button" className="value" title="Zoom into it" onClick={() => into(index)}>
                {formatFull(from, address.tz).replace(/\.000$/, "")}
              </button>
            </th>
            <td>
              {order.reduce((sum, series) => sum + (series.counts[index] ?? 0), 0).toLocaleString("en")}
            </td>
            {order.map((series) => (
              <td key={series.kind + series.value}>{series.counts[index]?.toLocaleString("en")}</td>
            ))}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">all</th>
          <td>{counted.total.toLocaleString("en")}</td>
          {order.map((series) => (
            <td key={series.kind + series.value}>{series.total.toLocaleString("en")}</td>
          ))}
        </tr>
      </tfoot>
    </table>
  );
}
