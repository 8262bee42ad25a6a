/** The column beside the lines, as wide as the reader drew it. */
import { type KeyboardEvent, type PointerEvent, type ReactNode, useState } from "react";
import { prefer, usePreferences } from "../state/preferences";

const LEAST = 160;
const MOST = 560;
const USUAL = 240;
const STEP = 16;

export function Side({ children }: { children: ReactNode }) {
  const kept = usePreferences().facets_width ?? USUAL;
  const [drawn, setDrawn] = useState<number | null>(null);
  const width = drawn ?? kept;
  const dragged = (event: PointerEvent) => {
    if (event.buttons === 1) setDrawn(within(event.clientX));
  };
  const kept_ = () => {
    if (drawn !== null) prefer({ facets_width: drawn });
    setDrawn(null);
  };
  const stepped = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (by) prefer({ facets_width: within(width + by) });
  };
  return (
    <aside className="side" aria-label="Fields" style={{ width }}>
      <div className="side-inside">{children}</div>
      <div
        className="side-edge"
        role="separator"
        tabIndex={0}
        aria-label="Width of the fields"
        aria-orientation="vertical"
        aria-valuenow={width}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={dragged}
        onPointerUp={kept_}
        onKeyDown={stepped}
      />
    </aside>
  );
}

function within(width: number): number {
  return Math.round(Math.min(MOST, Math.max(LEAST, width)));
}
