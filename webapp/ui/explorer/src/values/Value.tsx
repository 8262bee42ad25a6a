/** A value of a field, wherever it stands: click for what can be done with it, Alt+click excludes it. */
import type { MouseEvent, ReactNode } from "react";
import { edited, findable } from "../query/edit";
import { go, useAddress } from "../state/address";
import { openMenu } from "./menu";

interface Props {
  field: string;
  value: string;
  children?: ReactNode; // how it is shown, if not as it is
  tabIndex?: number; // -1 in rows: a list must not be a thousand stops, and Enter opens the line
}

export function Value({ field, value, children, tabIndex }: Props) {
  const { q } = useAddress();
  const clicked = (event: MouseEvent<HTMLButtonElement>) => {
    event.stopPropagation();
    if (event.altKey && findable(field, value)) go({ q: edited(q, field, value, "exclude") });
    else openMenu({ field, value, anchor: event.currentTarget });
  };
  return (
    <button type="button" className="value" aria-haspopup="menu" tabIndex={tabIndex} onClick={clicked}>
      {children ?? value}
    </button>
  );
}
