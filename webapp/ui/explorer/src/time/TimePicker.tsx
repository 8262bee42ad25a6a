/** The range of a search. */
import { type Address, go } from "../state/address";

export function TimePicker({ address }: { address: Address }) {
  return (
    <label className="time">
      <span className="hidden">From</span>
      <input value={address.start} onChange={(event) => go({ start: event.target.value })} />
    </label>
  );
}
