/** A text that changes at most every five seconds: a screen reader should hear counts, not a drum. */
import { useEffect, useRef, useState } from "react";

const PAUSE_MS = 5000;

export function useCalm(text: string): string {
  const [said, setSaid] = useState("");
  const last = useRef(0);
  useEffect(() => {
    if (!text) return;
    const wait = Math.max(0, last.current + PAUSE_MS - Date.now());
    const timer = window.setTimeout(() => {
      last.current = Date.now();
      setSaid(text);
    }, wait);
    return () => window.clearTimeout(timer);
  }, [text]);
  return said;
}
