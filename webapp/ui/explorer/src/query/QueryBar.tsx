/** What is searched for. Enter runs. */
import { useEffect, useState } from "react";
import { runAgain } from "../data/results";
import { type Address, go } from "../state/address";

export function QueryBar({ address }: { address: Address }) {
  const [text, setText] = useState(address.q);
  useEffect(() => setText(address.q), [address.q]);
  const run = () => (text === address.q ? runAgain() : go({ q: text }));
  return (
    <search>
      <form
        className="query"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <input
          aria-label="Query"
          className="mono"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="primary">
          Run
        </button>
      </form>
    </search>
  );
}
