/**
 * What is searched for: a text box over a layer that colours it. Enter runs, Shift+Enter breaks the line.
 *
 * While it is typed the server reads it and never runs it; a mistake is underlined and named, and what was found
 * before stays. The box is a combobox: names and values are offered with their counts in the range.
 */
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { runAgain } from "../data/results";
import { Dialog } from "../frame/Dialog";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { type Offer, useOffers, type Word, wordAt } from "./completing";
import { Highlight } from "./Highlight";
import { past, remember } from "./history";
import { Mistake } from "./Mistake";
import { useParsed } from "./parsed";
import "./query.css";

export function QueryBar({ address }: { address: Address }) {
  const [text, setText] = useState(address.q);
  const [word, setWord] = useState<Word | null>(null);
  const [picked, setPicked] = useState(-1);
  const [back, setBack] = useState(-1); // how far into the history the up-arrow has gone
  const [listed, setListed] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const list = useId();
  useEffect(() => setText(address.q), [address.q]);
  const offers = useOffers(address, word);
  const mistakes = useParsed(text);
  useKeys([
    { key: "/", label: "Into the query", group: "Search", run: () => box.current?.select() },
    { key: "h", label: "Earlier queries", group: "Search", run: () => setListed(true) },
  ]);

  const run = (query: string) => {
    setWord(null);
    setBack(-1);
    setText(query);
    remember(query);
    if (query === address.q) runAgain();
    else go({ q: query, as_of: "" });
  };
  const typed = (next: string, caret: number) => {
    setText(next);
    setBack(-1);
    setPicked(-1);
    setWord(wordAt(next, caret));
  };
  const take = ({ put }: Offer) => {
    if (!word) return;
    const next = text.slice(0, word.from) + put + text.slice(word.to);
    const caret = word.from + put.length;
    typed(next, caret);
    requestAnimationFrame(() => box.current?.setSelectionRange(caret, caret));
  };
  const recall = (by: 1 | -1) => {
    const held = past();
    const to = Math.min(held.length - 1, back + by);
    setBack(Math.max(-1, to));
    setText(to < 0 ? address.q : (held[to] ?? text));
  };
  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const open = offers.length > 0;
    const untouched = back >= 0 || text === "" || text === address.q;
    const { key } = event;
    if (key === "Enter" && event.shiftKey) return;
    const offer = offers[picked];
    if (open && (key === "ArrowDown" || key === "ArrowUp"))
      setPicked(
        (before) => ((before + (key === "ArrowDown" ? 2 : 0) + offers.length) % (offers.length + 1)) - 1,
      );
    else if (open && key === "Tab") take(offer ?? (offers[0] as Offer));
    else if (open && key === "Enter" && offer) take(offer);
    else if (open && key === "Escape") setWord(null);
    else if (key === "Enter") run(text);
    else if (key === "ArrowUp" && untouched && !text.includes("\n")) recall(1);
    else if (key === "ArrowDown" && back >= 0) recall(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
    event.nativeEvent.stopImmediatePropagation();
  };
  const open = offers.length > 0;
  return (
    <search className="query">
      <div className="query-box">
        <Highlight text={text} mistake={mistakes.errors[0]} />
        <textarea
          ref={box}
          className="mono"
          aria-label="Query"
          role="combobox"
          aria-expanded={open}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={picked >= 0 ? `${list}-${picked}` : undefined}
          aria-invalid={mistakes.errors.length > 0}
          rows={Math.min(6, text.split("\n").length)}
          maxLength={4096}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          placeholder="timeout service:api severity:>=warn"
          value={text}
          onChange={(event) => typed(event.target.value, event.target.selectionStart)}
          onKeyDown={pressed}
          onBlur={() => setWord(null)}
        />
        <div id={list} role="listbox" aria-label="Offers" className={open ? "menu query-offers" : "hidden"}>
          {offers.map((offer, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the combobox's
            <div
              key={offer.text}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === picked}
              className={index === picked ? "query-offer query-offer-picked" : "query-offer"}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(offer)}
            >
              <span className="mono">{offer.text}</span>
              <span className="meta">{offer.lines.toLocaleString("en")}</span>
            </div>
          ))}
        </div>
      </div>
      <button type="button" className="primary query-run" onClick={() => run(text)}>
        Run
      </button>
      <Mistake mistakes={mistakes} onFix={run} />
      {listed && <History onClose={() => setListed(false)} onPick={run} />}
    </search>
  );
}

function History({ onClose, onPick }: { onClose: () => void; onPick: (q: string) => void }) {
  const held = past();
  return (
    <Dialog title="Earlier queries" onClose={onClose}>
      {held.length === 0 && <p className="meta">None in this browser yet.</p>}
      <ul className="query-history">
        {held.map((q) => (
          <li key={q}>
            <button
              type="button"
              className="quiet mono"
              onClick={() => {
                onClose();
                onPick(q);
              }}
            >
              {q}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
