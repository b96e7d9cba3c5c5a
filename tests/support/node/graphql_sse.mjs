// Subscribes with graphql-sse as a front end does: node graphql_sse.mjs URL '["first token", "next token"]'.
// Waits until the stream has ended and the client has reconnected, and ends with the next change.
// Prints {connected, change}: for each connection whether it was a retry, and that change.
import { createClient } from "graphql-sse";

const [url, tokens] = process.argv.slice(2);
const left = JSON.parse(tokens);
const connected = [];

const client = createClient({
  url,
  headers: () => ({ authorization: `Bearer ${left.length > 1 ? left.shift() : left[0]}` }),
  on: { connected: (again) => connected.push(again) },
});

const query = "subscription { leadOfferChanged { previousStatus leadOffer { id user { id } } } }";
for await (const change of client.iterate({ query })) {
  if (connected.length < 2) continue;
  console.log(JSON.stringify({ connected, change }));
  process.exit();
}
