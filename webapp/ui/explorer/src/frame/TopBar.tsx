/** Where you are, whether all of it is there, and who you are. */
import { useState } from "react";
import type { Preferences } from "../api/types";
import { boot } from "../boot";
import { useKeys } from "../state/keys";
import { prefer, usePreferences } from "../state/preferences";
import { IntegrityStrip } from "./IntegrityStrip";
import { KeyHelp } from "./KeyHelp";
import { Logo } from "./Logo";

export function TopBar() {
  const [help, setHelp] = useState(false);
  useKeys([{ key: "?", label: "These keys", group: "View", run: () => setHelp((shown) => !shown) }]);
  return (
    <header className="top">
      <a className="brand" href="/" aria-label="Logboom: start again">
        <Logo />
        <span>Logboom</span>
      </a>
      <nav className="views" aria-label="Main">
        <a href="/" aria-current="page">
          Search
        </a>
        <a href={boot.api_docs_url}>API</a>
        {boot.flower_url && <a href={boot.flower_url}>Queue</a>}
        {boot.admin_url && <a href={boot.admin_url}>Admin</a>}
      </nav>
      <IntegrityStrip />
      <Theme />
      <button
        type="button"
        className="quiet"
        title="Keys (?)"
        aria-label="Keys"
        onClick={() => setHelp(true)}
      >
        ?
      </button>
      <Who />
      {help && <KeyHelp onClose={() => setHelp(false)} />}
    </header>
  );
}

const THEMES: { [theme: string]: { next: NonNullable<Preferences["theme"]>; sign: string; name: string } } = {
  system: { next: "light", sign: "◐", name: "as the system" },
  light: { next: "dark", sign: "☀", name: "light" },
  dark: { next: "system", sign: "☾", name: "dark" },
};

function Theme() {
  const theme = THEMES[usePreferences().theme ?? "system"];
  if (!theme) return null;
  return (
    <button
      type="button"
      className="quiet"
      title={`Colours: ${theme.name}`}
      aria-label={`Colours: ${theme.name}. Change`}
      onClick={() => prefer({ theme: theme.next })}
    >
      {theme.sign}
    </button>
  );
}

/** Leaving is a form: a GET must not log anybody out. */
function Who() {
  return (
    <details className="who">
      <summary>{boot.user.username}</summary>
      <div className="who-menu menu">
        <nav className="who-views" aria-label="Views">
          <a href={boot.api_docs_url}>API</a>
          {boot.flower_url && <a href={boot.flower_url}>Queue</a>}
          {boot.admin_url && <a href={boot.admin_url}>Admin</a>}
        </nav>
        <a href={boot.plain_url}>Plain page</a>
        <form method="post" action={boot.logout_url}>
          <input type="hidden" name="csrfmiddlewaretoken" value={boot.csrf} />
          <button type="submit" className="quiet">
            Log out
          </button>
        </form>
        <p className="meta">Logboom {boot.version}</p>
      </div>
    </details>
  );
}
