/** Why there are no lines here, and the one thing to do about it. */
import type { ReactNode } from "react";
import type { Status, Waiting } from "../api/types";
import { boot } from "../boot";
import { runAgain, useStatus, useSuggestion } from "../data/results";
import { type Address, go } from "../state/address";
import { formatTime } from "../time/show";
import { FirstLine } from "./FirstLine";
import "./empty.css";

const AROUND_MS = 7.5 * 60_000;

export function Empty({ address }: { address: Address }) {
  const status = useStatus().data;
  const waiting = status ? rows(status.queued) + rows(status.spilled) : 0;
  const seen = status?.any_lines ?? false;
  const suggested = useSuggestion(address, seen && waiting === 0);
  if (!status) return <State title="No line matches." />;
  if (status.sources === 0 && status.hidden_sources > 0) return <NoAccess hidden={status.hidden_sources} />;
  if (waiting > 0 && !seen) return <StillWaiting rows={waiting} />;
  if (!status.any_lines) return <FirstLine />;
  if (waiting > 0) return <StillWaiting rows={waiting} />;
  return <NothingFound address={address} status={status} suggested={suggested} />;
}

function rows(waiting: Waiting | null): number {
  return waiting?.rows ?? 0;
}

interface StateProps {
  title: string;
  button?: { text: string; run: () => void };
  children?: ReactNode;
}

export function State({ title, button, children }: StateProps) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
      {button && (
        <button type="button" className="primary" onClick={button.run}>
          {button.text}
        </button>
      )}
    </div>
  );
}

function NoAccess({ hidden }: { hidden: number }) {
  const sources = hidden === 1 ? "1 source is" : `${hidden} sources are`;
  return (
    <State title={`${sources} hidden from you.`}>
      <p>
        Nobody has given {boot.user.username} a source to read. Whoever runs Logboom does that in its
        administration, under “Grants”.
      </p>
      <form method="post" action={boot.logout_url}>
        <input type="hidden" name="csrfmiddlewaretoken" value={boot.csrf} />
        <button type="submit" className="primary">
          Log in as somebody else
        </button>
      </form>
    </State>
  );
}

function StillWaiting({ rows }: { rows: number }) {
  const lines = rows === 1 ? "1 line waits" : `${rows.toLocaleString("en")} lines wait`;
  return (
    <State title={`${lines} for the database.`} button={{ text: "Look again", run: runAgain }}>
      <p>They are accepted and safe, and cannot be searched before they are stored.</p>
    </State>
  );
}

interface FoundProps {
  address: Address;
  status: Status;
  suggested: ReturnType<typeof useSuggestion>;
}

function NothingFound({ address, status, suggested }: FoundProps) {
  const { data, isFetching } = suggested;
  const hidden = status.hidden_sources > 0 ? <Hidden count={status.hidden_sources} /> : null;
  const fix = data?.fixes[0];
  if (data?.newest)
    return (
      <State
        title="Nothing in this range."
        button={{ text: "Go there", run: () => go(around(data.newest?.time ?? "")) }}
      >
        <p>Newest matching line: {formatTime(data.newest.time, address.tz)}</p>
        {hidden}
      </State>
    );
  if (fix)
    return (
      <State title="Nothing matches." button={{ text: `Search ${fix.q}`, run: () => go({ q: fix.q }) }}>
        <p>{fix.message}</p>
        {hidden}
      </State>
    );
  return (
    <State title="Nothing matches." button={{ text: "Show every line", run: () => go({ q: "" }) }}>
      {isFetching && <p className="meta">Looking for something near…</p>}
      {hidden}
    </State>
  );
}

function Hidden({ count }: { count: number }) {
  return <p className="meta">{count === 1 ? "1 source is" : `${count} sources are`} hidden from you.</p>;
}

function around(time: string): Partial<Address> {
  const at = Date.parse(time);
  const iso = (ms: number) => new Date(ms).toISOString();
  return { start: iso(at - AROUND_MS), end: iso(at + AROUND_MS), as_of: "" };
}
