// Subscribes with graphql-ws as a front end does: node graphql_ws.mjs URL '["first token", "next token"]'.
// Waits until the server has closed the connection and the client has reconnected, and ends with the next change.
// Prints {closed, change}: the close codes, and that change.
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
