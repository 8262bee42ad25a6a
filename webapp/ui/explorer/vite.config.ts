// One script and one style sheet with plain names: Django's static files give them their hashes.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist/explorer",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // these know light-dark(); rewritten, it loses its scheme
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: {
      input: "src/main.tsx",
      output: {
        entryFileNames: "explorer.js",
        assetFileNames: "explorer.[ext]",
        codeSplitting: false,
      },
    },
  },
});
