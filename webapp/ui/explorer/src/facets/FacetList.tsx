/** The values of fields, counted over exactly the lines of the search. */
import { useFacets } from "../data/results";
import type { Address } from "../state/address";
import { Value } from "../values/Value";

export function Facets({ address }: { address: Address }) {
  const counted = useFacets(address, []);
  return (
    <aside aria-label="Fields" className={counted.isPlaceholderData ? "stale" : ""}>
      {counted.data?.facets.map((facet) => (
        <section key={facet.field}>
          <h3 className="meta">{facet.field}</h3>
          {facet.values.map((value) => (
            <div key={value.value}>
              <Value field={facet.field} value={value.value} /> {value.count}
            </div>
          ))}
        </section>
      ))}
    </aside>
  );
}
