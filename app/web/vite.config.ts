import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { compression, defineAlgorithm } from "vite-plugin-compression2";
import { constants } from "node:zlib";

const SERVER = process.env["API_SERVER"] ?? "http://127.0.0.1:8000";

/** The libraries that src/main.ts starts one after the other. */
const STEPS: Record<string, RegExp> = {
  react: /node_modules\/(react|react-dom|scheduler)\//,
  apollo: /node_modules\/(@apollo|@wry|graphql|graphql-sse|graphql-ws|optimism|rxjs|tslib)\//,
  router: /node_modules\/react-router\//,
};

/** Makes the page load all scripts of the first load at once, and not each when the one before asks for it. */
function preloadSteps(): Plugin {
  return {
    name: "preload-steps",
    transformIndexHtml: {
      order: "post",
      handler: (_html, { bundle = {} }) => {
        const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
        const first = new Set(chunks.filter(({ isEntry }) => isEntry).flatMap(({ dynamicImports }) => dynamicImports));
        for (const name of first) {
          const chunk = bundle[name];
          if (chunk?.type === "chunk") chunk.imports.forEach((imported) => first.add(imported));
        }
        return [...first].map((name) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${name}` },
          injectTo: "head" as const,
        }));
      },
    },
  };
}

export default defineConfig({
  plugins: [
    react(),
    preloadSteps(),
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
    rollupOptions: {
      output: {
        experimentalMinChunkSize: 20_000,
        manualChunks: (id) => Object.keys(STEPS).find((name) => STEPS[name]?.test(id)),
      },
    },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs but for images
  },
  server: { proxy: { "/graphql": { target: SERVER, ws: true } } },
});
