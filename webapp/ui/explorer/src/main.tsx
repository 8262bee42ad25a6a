/** Starts the explorer in the page that Django served. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Problem } from "./api/client";
import { listen } from "./state/keys";
import { showTheme } from "./state/preferences";
import "./base.css";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY, // an answer is true for its as_of; a new one is asked for by Run
      gcTime: 0, // and never shown again as if it were new
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 2 && error instanceof Problem && error.status === 0,
    },
  },
});

const root = document.getElementById("explorer");
if (!root) throw new Error("The page has no place for the explorer.");
showTheme();
listen();
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
