/** What the server writes into the page: how people sign in, and its version. */
export interface Configuration {
  version: string;
  /** The nonce of this page's Content-Security-Policy for style elements. */
  styleNonce: string;
  /** Whether the server has GraphiQL at /graphql. */
  graphiql: boolean;
  signIn: SignInConfiguration;
}

export type SignInConfiguration =
  | { kind: "demo"; people: DemoPerson[] }
  | { kind: "openid"; authority: string; clientId: string; scope: string; audience: string | null }
  | { kind: "token" };

export interface DemoPerson {
  id: string;
  name: string;
  group: "agents" | "leaders" | "others";
  /** What they are in the teams, and what they can do now. */
  description: string;
  token: string;
}

function read(): Configuration {
  const text = document.getElementById("configuration")?.textContent.trim() ?? "";
  // Vite's development server leaves the placeholder as it is.
  if (text.startsWith("{{")) return { version: "dev", styleNonce: "", graphiql: true, signIn: { kind: "token" } };
  return JSON.parse(text) as Configuration;
}

export const configuration = read();
