/** What the server put into the page: read once, before anything is asked. */
import type { Preferences } from "./api/types";

export interface Boot {
  csrf: string;
  version: string;
  user: { username: string; staff: boolean };
  preferences: Preferences;
  ingest_url: string;
  flower_url: string;
  admin_url: string;
  ledger_url: string;
  api_docs_url: string;
  plain_url: string;
  login_url: string;
  logout_url: string;
}

const held = document.getElementById("boot");
if (!held?.textContent) throw new Error("The page came without its boot data.");

export const boot: Boot = JSON.parse(held.textContent);
