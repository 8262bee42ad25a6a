/**
 * What is searched for: a text box over a layer that colours it. Enter runs, Shift+Enter breaks the line.
 *
 * While it is typed the server reads it and never runs it; a mistake is underlined and named, is not run, and what
 * was found before stays. The box is a combobox: names and values are offered with their counts in the range.
 */
import { useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { runAgain } from "../data/results";
import { type Address, go } from "../state/address";
import { useKeys } from "../state/keys";
import { type Offer, type Word, wordAt } from "./completing";
import { Highlight } from "./Highlight";
import { History } from "./History";
import { Mistake } from "./Mistake";
import { Offers } from "./Offers";
import { useOffers } from "./offering";
import { NONE, readable, useParsed } from "./parsed";
import { past, remember } from "./past";
import "./query.css";

export function QueryBar({ address }: { address: Address }) {
  const [text, setText] = useState(address.q);
  const [word, setWord] = useState<Word | null>(null);
  const [picked, setPicked] = useState(-1);
  const [listed, setListed] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const list = useId();
  const offers = useOffers(address, word);
  const [refused, setRefused] = useState("");
  const mistakes = useParsed(text, address, refused);
  const run = useRun(address, setText, setRefused);
  const recall = useRecall(text, address.q, setText);
  useEffect(() => setText(address.q), [address.q]);
  // Before the next key arrives, or it would be typed at the end.
  const moveTo = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (moveTo.current !== null) box.current?.setSelectionRange(moveTo.current, moveTo.current);
    moveTo.current = null;
  });
  useKeys([
    { key: "/", label: "Into the query", group: "Search", run: () => entered(box.current) },
    { key: "h", label: "Earlier queries", group: "Search", run: () => setListed(true) },
  ]);

  const offerAt = (next: string, caret: number, wanted = false) => {
    setPicked(-1);
    setWord(wordAt(next, caret, wanted));
  };
  const take = ({ put }: Offer) => {
    if (!word) return;
    const next = text.slice(0, word.from) + put + text.slice(word.to);
    const caret = word.from + put.length;
    setText(next);
    offerAt(next, caret);
    moveTo.current = caret;
  };
  const start = (query: string) => {
    setWord(null);
    recall.forget();
    void run(query);
  };
  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    const act =
      offered(event, offers, picked, { pick: setPicked, take, close: () => setWord(null) }) ??
      typedKey(event, {
        run: () => start(text),
        offer: () => offerAt(text, event.currentTarget.selectionStart, true),
        leave: () => box.current?.blur(),
        recall: recall.by,
      });
    if (!act) {
      if (/^(Arrow|Home|End|Page)/.test(event.key)) setWord(null);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    event.nativeEvent.stopImmediatePropagation();
    act();
  };
  return (
    <search className="query">
      <div className="query-box">
        <div className="query-text">
          <Highlight text={text} mistake={mistakes.errors[0]} />
          <textarea
            ref={box}
            className="mono"
            aria-label="Query"
            role="combobox"
            aria-expanded={offers.length > 0}
            aria-controls={list}
            aria-autocomplete="list"
            aria-activedescendant={picked >= 0 ? `${list}-${picked}` : undefined}
            aria-invalid={mistakes.errors.length > 0}
            aria-describedby={`${list}-said`}
            rows={1}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="none"
            placeholder="timeout service:api severity:>=warn"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              recall.forget();
              offerAt(event.target.value, event.target.selectionStart);
            }}
            onKeyDown={pressed}
            onClick={() => setWord(null)}
            onBlur={() => setWord(null)}
          />
        </div>
        <Offers
          id={list}
          offers={offers}
          picked={picked}
          column={columnOf(text, word?.from ?? 0)}
          onTake={take}
        />
      </div>
      <button type="button" className="primary query-run" onClick={() => start(text)}>
        Run
      </button>
      <Mistake id={`${list}-said`} mistakes={offers.length > 0 ? NONE : mistakes} onFix={start} />
      {listed && <History onClose={() => setListed(false)} onPick={start} />}
    </search>
  );
}

/** Runs a query that can be read; of one that cannot, the mistake is shown and the results stay. */
function useRun(
  address: Address,
  setText: (text: string) => void,
  setRefused: (text: string) => void,
): (query: string) => Promise<void> {
  const client = useQueryClient();
  const asked = useRef("");
  return async (query: string) => {
    setText(query);
    asked.current = query;
    const good = await readable(client, query);
    if (!good) setRefused(query);
    if (!good || asked.current !== query) return;
    remember(query);
    if (query === address.q) runAgain();
    else go({ q: query, as_of: "" });
  };
}

/** Up and down through earlier queries, from a box that is empty or stands as it was run. */
function useRecall(text: string, ran: string, setText: (text: string) => void) {
  const [back, setBack] = useState(-1);
  return {
    forget: () => setBack(-1),
    by: (step: 1 | -1): (() => void) | null => {
      const untouched = back >= 0 || text === "" || text === ran;
      if (!untouched || (step === -1 && back < 0) || (back < 0 && text.includes("\n"))) return null;
      return () => {
        const held = past().filter((q) => q !== ran);
        const to = Math.max(-1, Math.min(held.length - 1, back + step));
        setBack(to);
        setText(to < 0 ? ran : (held[to] ?? ran));
      };
    },
  };
}

interface Choosing {
  pick: (index: number) => void;
  take: (offer: Offer) => void;
  close: () => void;
}

/** What a key does while offers are in sight; Enter takes one only if it was picked. */
function offered(event: KeyboardEvent, offers: readonly Offer[], picked: number, then: Choosing) {
  if (offers.length === 0) return null;
  const round = (index: number) => ((index + 1 + offers.length + 1) % (offers.length + 1)) - 1;
  const offer = offers[picked] ?? (event.key === "Tab" && !event.shiftKey ? offers[0] : undefined);
  if (event.key === "ArrowDown") return () => then.pick(round(picked + 1));
  if (event.key === "ArrowUp") return () => then.pick(round(picked - 1));
  if (event.key === "Escape") return then.close;
  if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && offer)
    return () => then.take(offer);
  return null;
}

interface Typing {
  run: () => void;
  offer: () => void;
  leave: () => void;
  recall: (step: 1 | -1) => (() => void) | null;
}

function typedKey(event: KeyboardEvent, then: Typing) {
  if (event.key === "Enter" && !event.shiftKey) return then.run;
  if (event.key === " " && event.ctrlKey) return then.offer;
  if (event.key === "Escape") return then.leave;
  if (event.key === "ArrowUp") return then.recall(1);
  if (event.key === "ArrowDown") return then.recall(-1);
  return null;
}

function entered(box: HTMLTextAreaElement | null): void {
  box?.focus();
  box?.setSelectionRange(box.value.length, box.value.length);
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf("\n", at - 1) + 1);
}
