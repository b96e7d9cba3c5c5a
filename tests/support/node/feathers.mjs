// Calls the REST API with the Feathers client: node feathers.mjs URL TOKEN [[METHOD, LEAD, …ARGUMENTS], …].
// The last argument of find and get is their query. Prints the result of each call, or the error that it threw.
import { feathers } from "@feathersjs/feathers";
import rest from "@feathersjs/rest-client";

const [url, token, calls] = process.argv.slice(2);
const app = feathers().configure(rest(url).fetch(fetch));
const headers = { Authorization: `Bearer ${token}` };

async function call([method, lead, ...sent]) {
  const query = method === "find" || method === "get" ? sent.pop() : {};
  try {
    return await app.service(`leads/${lead}/offers`)[method](...sent, { query, headers });
  } catch (error) {
    const { code, data, errors } = error;
    return { error: error.constructor.name, code, data, errors };
  }
}

const results = [];
for (const each of JSON.parse(calls)) results.push(await call(each));
console.log(JSON.stringify(results));
