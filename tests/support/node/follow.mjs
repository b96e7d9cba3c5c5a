// Subscribes with graphql-ws as a front end does: node follow.mjs URL '["first token", "next token"]'. Ends with the first
// change after it was closed out and came back. Prints {closed, change}: the codes it was closed with, the change.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, tokens] = process.argv.slice(2);
const left = JSON.parse(tokens);
const closed = [];

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  lazy: true,
  connectionParams: () => ({ authorization: `Bearer ${left.length > 1 ? left.shift() : left[0]}` }),
  on: { closed: (event) => closed.push(event.code) },
});

const query = "subscription { leadOfferChanged { previousStatus leadOffer { id user { id } } } }";
for await (const change of client.iterate({ query })) {
  if (!closed.length) continue;
  console.log(JSON.stringify({ closed, change }));
  process.exit();
}
