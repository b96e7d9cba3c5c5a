import type { CodegenConfig } from "@graphql-codegen/cli";

/**
 * The folders with documents, and those whose fragments they use. Each gets generated documents of its own, so that a
 * screen is loaded without the documents of the others.
 */
const FOLDERS: Record<string, string[]> = {
  app: ["app"],
  inbox: ["screens/inbox"],
  board: ["screens/board", "screens/inbox"],
  lead: ["screens/lead", "screens/board", "screens/inbox"],
  teams: ["screens/teams"],
  figures: ["screens/figures"],
  settings: ["screens/settings"],
};

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  generates: Object.fromEntries(
    Object.entries(FOLDERS).map(([name, folders]) => [
      `src/gql/${name}/`,
      {
        preset: "client",
        presetConfig: { fragmentMasking: false },
        documents: folders.map((folder) => `src/${folder}/*.graphql`),
        config: {
          scalars: { DateTime: "string", ID: "string" },
          strictScalars: true,
          enumsAsTypes: true,
          useTypeImports: true,
          onlyOperationTypes: true,
        },
      },
    ]),
  ),
};

export default config;
