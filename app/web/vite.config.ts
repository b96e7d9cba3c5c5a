import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compression, defineAlgorithm } from "vite-plugin-compression2";
import { constants } from "node:zlib";

const SERVER = process.env["API_SERVER"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [
    react(),
    compression({
      include: /\.(js|css|svg|json)$/,
      threshold: 500,
      algorithms: [
        defineAlgorithm("gzip", { level: 9 }),
        defineAlgorithm("brotliCompress", { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
      ],
    }),
  ],
  build: {
    outDir: "../static/web",
    emptyOutDir: true,
    manifest: "manifest.json",
    chunkSizeWarningLimit: 700, // kB before compression; a test limits the size of the first load
    target: "es2022",
    // Merges the many tiny chunks that screens share: on slow mobile data each request takes a round trip.
    rollupOptions: { output: { experimentalMinChunkSize: 20_000 } },
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs but for images
  },
  server: { proxy: { "/graphql": { target: SERVER, ws: true } } },
});
