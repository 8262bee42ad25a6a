/** The same numbers as a table, for who cannot see the bars or wants to copy them. */
import type { Histogram } from "../api/types";
import { formatFull } from "../time/show";
import { nameOf } from "./Bars";
import { stacked } from "./chart";

export function Table({ counted, by, tz }: { counted: Histogram; by: string; tz: string }) {
  const order = stacked(counted.series, by);
  return (
    <table className="counts">
      <thead>
        <tr>
          <th scope="col">from</th>
          <th scope="col">lines</th>
          {order.map((series) => (
            <th scope="col" key={series.kind + series.value}>
              {nameOf(series.kind, series.value)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {counted.times.map((from, index) => (
          <tr key={from}>
            <th scope="row">{formatFull(from, tz)}</th>
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
