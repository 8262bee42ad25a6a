/** Where you are, whether all of it is there, and who you are. */
import { boot } from "../boot";
import { IntegrityStrip } from "./IntegrityStrip";

export function TopBar() {
  return (
    <header className="top">
      <a className="brand" href="/">
        Logboom
      </a>
      <IntegrityStrip />
      <span className="who meta">{boot.user.username}</span>
    </header>
  );
}
