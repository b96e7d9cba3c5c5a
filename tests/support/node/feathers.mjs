// Calls the REST API by the Feathers client: node feathers.mjs URL TOKEN [[METHOD, LEAD, …ARGUMENTS], …].
// The last argument of find and get is their query. Prints what each call answered, or the error it threw.
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

const answers = [];
for (const each of JSON.parse(calls)) answers.push(await call(each));
console.log(JSON.stringify(answers));
