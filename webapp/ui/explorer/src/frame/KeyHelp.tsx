/** The keys that work here and now, and the switch that turns single keys off. */
import { type Key, useAllKeys } from "../state/keys";
import { prefer, usePreferences } from "../state/preferences";
import { Dialog } from "./Dialog";

const GROUPS: readonly Key["group"][] = ["Search", "Lines", "View"];
const NAMES: { [key: string]: string } = {
  Escape: "Esc",
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
};

export function KeyHelp({ onClose }: { onClose: () => void }) {
  const keys = useAllKeys();
  const single = usePreferences().single_keys !== false;
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div className="keys">
        {GROUPS.map((group) => (
          <section key={group}>
            <h3 className="meta">{group}</h3>
            <dl>
              {listed(keys, group).map(([label, pressed]) => (
                <div key={label}>
                  <dt>
                    {pressed.map((key) => (
                      <kbd key={key}>{NAMES[key] ?? key}</kbd>
                    ))}
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="keys-switch">
        <input
          type="checkbox"
          checked={single}
          onChange={(event) => prefer({ single_keys: event.target.checked })}
        />
        Single keys do something. Off: only Escape and what has a button.
      </label>
    </Dialog>
  );
}

/** Each label once, with every key that does it. */
function listed(keys: readonly Key[], group: Key["group"]): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const { label, key } of keys.filter((key) => key.group === group && key.label)) {
    const held = found.get(label) ?? [];
    if (!held.includes(key)) found.set(label, [...held, key]);
  }
  return [...found];
}
