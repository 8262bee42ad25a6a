/** The query as the server reads it, a moment after the last key. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get } from "../api/client";
import type { Parsed } from "../api/types";

const PAUSE_MS = 250;
const NONE: Parsed = { errors: [], warnings: [], canonical: null };

export function useParsed(text: string): Parsed {
  const settled = useSettled(text);
  const { data } = useQuery({
    queryKey: ["parse", settled],
    queryFn: ({ signal }) => get<Parsed>("logs/parse", { q: settled }, signal),
    enabled: settled.trim() !== "",
    retry: false,
  });
  // What was said of another text says nothing of this one.
  return data && settled === text ? data : NONE;
}

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(text), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);
  return settled;
}
