/** The place of the lines: those of the search, and over them the surroundings of one, or what arrives now. */
import { ContextBand } from "../context/ContextBand";
import type { Address } from "../state/address";
import { Tail } from "../tail/Tail";
import { LogList } from "./LogList";
import "./list.css";

export function Lines({ address }: { address: Address }) {
  const over = address.live || address.context !== "";
  return (
    <div className="lines">
      {/* It stays where it is below what covers it, so that coming back finds the same place. */}
      <div className={over ? "lines-under" : "lines-top"} inert={over}>
        <LogList address={address} covered={over} />
      </div>
      {address.live && <Tail address={address} />}
      {!address.live && address.context && <ContextBand address={address} />}
    </div>
  );
}
