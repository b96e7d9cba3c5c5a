import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type Rollup } from "vite";
import { compression, defineAlgorithm } from "vite-plugin-compression2";
import { readFileSync } from "node:fs";
import { constants } from "node:zlib";

const SERVER = process.env["API_SERVER"] ?? "http://127.0.0.1:8000";

/** Files of the first load. With few of them, all are loaded at once over the six connections that HTTP/1.1 has. */
const CHUNKS: Record<string, RegExp> = {
  react: /node_modules\/(react|react-dom|react-router|scheduler)\//,
  data: /node_modules\/(@apollo|@wry|graphql|graphql-sse|graphql-ws|optimism|rxjs|tslib)\/|src\/app\/(configuration|preload)/,
  helper: /vite\/preload-helper/, // which the entry needs: without a file of its own, all of `data` would come with it
};

/** The files of the steps in src/main.ts, and what they import. */
function stepFiles(bundle: Rollup.OutputBundle): Set<string> {
  const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
  const entries = chunks.filter(({ isEntry }) => isEntry);
  const names = new Set(entries.flatMap(({ dynamicImports }) => dynamicImports));
  for (const name of names)
    chunks.find(({ fileName }) => fileName === name)?.imports.forEach((each) => names.add(each));
  for (const { fileName, imports } of entries) [fileName, ...imports].forEach((each) => names.delete(each));
  return names;
}

/** Makes the page load the files of all steps at once, after the styles, which are needed for the first paint. */
function preloadSteps(): Plugin {
  return {
    name: "preload-steps",
    transformIndexHtml: {
      order: "post",
      handler: (_html, { bundle = {} }) =>
        [...stepFiles(bundle)].map((name) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${name}`, fetchpriority: "low" },
          injectTo: "head" as const,
        })),
    },
  };
}

/** Refuses a build in which a component of Mantine has no styles. */
function checkStyles(): Plugin {
  const read = (name: string) => readFileSync(new URL(`src/app/${name}`, import.meta.url), "utf8");
  return {
    name: "check-styles",
    generateBundle(_options, bundle) {
      const [first, others] = [read("firstStyles.css"), read("otherStyles.css")];
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const steps = stepFiles(bundle);
      for (const { fileName, moduleIds } of chunks) {
        const known = steps.has(fileName) ? first : first + others;
        for (const id of moduleIds) {
          const name = /@mantine\/core\/.*\/(\w+)\.module\.css/.exec(id)?.[1];
          if (name && !known.includes(`/${name}.css"`)) {
            this.error(
              `Import @mantine/core/styles/${name}.css in ${known === first ? "firstStyles" : "otherStyles"}.css.`,
            );
          }
        }
      }
    },
  };
}

/**
 * Lets Mantine's components keep the id that React gives them. Mantine replaces it by another one, as React 17 needed:
 * React then renders them, and runs all effects, once more in the task that shows them. Together with menus and dialogs that
 * are rendered later, this took the blocking time of Lighthouse's phone from 137 to 36 ms (2026-11-27).
 */
function keepIds(): Plugin {
  let isReplaced = false;
  return {
    name: "keep-ids",
    apply: "build",
    load(id) {
      if (!id.endsWith("@mantine/hooks/esm/use-id/use-id.mjs")) return null;
      isReplaced = true;
      return `
        import { useReactId } from "./use-react-id.mjs";
        export function useId(staticId) {
          const reactId = useReactId();
          return typeof staticId === "string" ? staticId : reactId;
        }`;
    },
    generateBundle() {
      if (!isReplaced) this.error("Mantine's hook useId is not where it was.");
    },
  };
}

export default defineConfig({
  plugins: [
    react(),
    keepIds(),
    preloadSteps(),
    checkStyles(),
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
        manualChunks: (id) => Object.keys(CHUNKS).find((name) => CHUNKS[name]?.test(id)),
      },
    },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs but for images
  },
  server: { proxy: { "/graphql": { target: SERVER, ws: true } } },
});
