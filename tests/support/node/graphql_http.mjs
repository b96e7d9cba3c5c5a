// Runs graphql-http's audits on a server: node graphql_http.mjs URL TOKEN. Prints [{id, name, status, reason}].
import { serverAudits } from "graphql-http";

const [url, token] = process.argv.slice(2);
const signedIn = (address, options = {}) =>
  fetch(address, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } });

const results = [];
for (const audit of serverAudits({ url, fetchFn: signedIn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
console.log(JSON.stringify(results));
