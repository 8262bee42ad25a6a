/** How the tail is: its rate, how far behind it is, and what is not in sight. */
import { lasting } from "../line/skew";
import { go } from "../state/address";
import { MOST, type Tailed } from "./buffer";
import type { Pulse } from "./useTail";

interface Props {
  pulse: Pulse | null; // null: the search it is joined to is not there yet
  tailed: Tailed | null;
  paused: boolean;
  onTurn?: () => void;
  onResume?: () => void;
}

export function TailBar({ pulse, tailed, paused, onTurn, onResume }: Props) {
  const held = tailed?.held.length ?? 0;
  return (
    <div className="tail-bar meta">
      <button type="button" title="Back to the search (Esc)" onClick={() => go({ live: false })}>
        Stop
      </button>
      {onTurn && (
        <button type="button" aria-pressed={paused} title="p" onClick={onTurn}>
          {paused ? "Go on" : "Pause"}
        </button>
      )}
      <span role="status" className={`tail-state tail-${pulse?.state.kind ?? "again"}`}>
        {paused && pulse?.state.kind === "open" ? "Paused" : stateOf(pulse)}
      </span>
      {pulse?.state.kind === "open" && <Rate pulse={pulse} />}
      {tailed && <Bounds tailed={tailed} />}
      <span className="toolbar-space" />
      {held > 0 && (
        <button type="button" className="primary" onClick={onResume}>
          {held >= MOST ? `${MOST.toLocaleString("en")}+` : held.toLocaleString("en")} new
        </button>
      )}
    </div>
  );
}

function stateOf(pulse: Pulse | null): string {
  if (!pulse) return "Searching…";
  const { state } = pulse;
  if (state.kind === "open") return "Live";
  if (state.kind === "ended") return "Ended";
  if (!state.reason) return "Connecting…";
  return `${state.reason} Trying again in ${state.seconds} s.`;
}

function Rate({ pulse }: { pulse: Pulse }) {
  return (
    <>
      <span className="tail-figure">{pulse.rate.toLocaleString("en")} lines/s</span>
      <span className="tail-figure">lag {lasting(pulse.lag)}</span>
    </>
  );
}

function Bounds({ tailed }: { tailed: Tailed }) {
  return (
    <>
      {tailed.gaps > 0 && (
        <span className="tail-missed">
          {tailed.missed > 0 ? tailed.missed.toLocaleString("en") : "Some"} skipped, this page was too slow: a
          search finds them
        </span>
      )}
      <span title="In order of arrival. Older ones stay stored: a search finds them.">
        newest {MOST.toLocaleString("en")} kept
        {tailed.let_go > 0 && `, ${tailed.let_go.toLocaleString("en")} left this view`}
      </span>
    </>
  );
}
