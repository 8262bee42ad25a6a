/** The list below the query: names or values that could stand at the caret. Its keys are the text box's. */
import type { Offer } from "./completing";

interface Props {
  id: string;
  offers: readonly Offer[];
  picked: number;
  column: number; // the character below which it hangs
  onTake: (offer: Offer) => void;
}

export function Offers({ id, offers, picked, column, onTake }: Props) {
  return (
    <div
      id={id}
      role="listbox"
      aria-label="What could stand here"
      className={offers.length > 0 ? "menu mono query-offers" : "hidden"}
      style={{ left: `max(0px, min(${column}ch, 100% - 300px))` }}
    >
      {offers.map((offer, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the combobox's
        <div
          key={offer.text}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === picked}
          className="query-offer"
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onTake(offer)}
        >
          <span className="query-offer-text">{offer.text}</span>
          <span className="meta">{offer.note}</span>
          {offer.lines !== null && <span className="meta">{offer.lines.toLocaleString("en")}</span>}
        </div>
      ))}
    </div>
  );
}
