// Sends queries and mutations with the GraphQL clients of front ends: node clients.mjs URL TOKEN.
// Prints {client: {results and errors, and its requests}}.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { GraphQLClient } from "graphql-request";
import { createClient } from "graphql-sse";
import { createHash } from "node:crypto";

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const ME = "query Me { me { id firstName } }";
const OFFERS = "query Offers($limit: Int) { leadOffers(limit: $limit) { total limit data { id lead { id } } } }";
const SUBMIT = "mutation Submit($id: ID!) { submitLeadOffers(leadId: $id) { createdCount } }";
const WRONG = "query Wrong { nothing }";

const requests = [];
async function counted(address, options) {
  const response = await fetch(address, options);
  requests.push({ method: options?.method ?? "GET", status: response.status });
  return response;
}

async function apollo(...links) {
  const link = ApolloLink.from([...links, new HttpLink({ uri: url, headers, fetch: counted })]);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const codes = (error) =>
    CombinedGraphQLErrors.is(error) ? error.errors.map((each) => each.extensions.code) : [String(error)];
  const failing = (promise) => promise.then(({ error }) => codes(error), codes);
  return {
    me: (await client.query({ query: gql(ME) })).data.me.firstName,
    limit: (await client.query({ query: gql(OFFERS), variables: { limit: 3 } })).data.leadOffers.limit,
    again: (await client.query({ query: gql(ME), fetchPolicy: "network-only" })).data.me.firstName,
    refused: await failing(client.mutate({ mutation: gql(SUBMIT), variables: { id: "999" }, errorPolicy: "all" })),
    wrong: await failing(client.query({ query: gql(WRONG) })),
  };
}

async function urql(options = {}) {
  const client = new Client({ url, exchanges: [fetchExchange], fetchOptions: { headers }, fetch: counted, ...options });
  const codes = ({ error }) => error.graphQLErrors.map((each) => each.extensions.code);
  return {
    me: (await client.query(ME, {})).data.me.firstName,
    limit: (await client.query(OFFERS, { limit: 3 })).data.leadOffers.limit,
    refused: codes(await client.mutation(SUBMIT, { id: "999" })),
    wrong: codes(await client.query(WRONG, {})),
  };
}

async function graphqlRequest() {
  const client = new GraphQLClient(url, { headers, fetch: counted });
  const codes = (promise) => promise.then(() => [], (error) => error.response.errors.map((each) => each.extensions.code));
  return {
    me: (await client.request(ME)).me.firstName,
    limit: (await client.request(OFFERS, { limit: 3 })).leadOffers.limit,
    refused: await codes(client.request(SUBMIT, { id: "999" })),
    wrong: await codes(client.request(WRONG)),
  };
}

async function graphqlSse() {
  const client = createClient({ url, headers, fetchFn: counted });
  const only = async (query, variables) => {
    const results = [];
    for await (const result of client.iterate({ query, variables })) results.push(result);
    if (results.length !== 1) throw new Error(`${results.length} results`);
    return results[0];
  };
  const codes = ({ errors }) => errors.map((each) => each.extensions.code);
  return {
    me: (await only(ME)).data.me.firstName,
    limit: (await only(OFFERS, { limit: 3 })).data.leadOffers.limit,
    refused: codes(await only(SUBMIT, { id: "999" })),
    wrong: codes(await only(WRONG)),
  };
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const runs = {
  apollo: () => apollo(),
  "apollo, persisted": () => apollo(new PersistedQueryLink({ sha256 })),
  "apollo, persisted, by GET": () => apollo(new PersistedQueryLink({ sha256, useGETForHashedQueries: true })),
  urql: () => urql(),
  "urql, by GET": () => urql({ preferGetMethod: "force" }),
  "graphql-request": () => graphqlRequest(),
  "graphql-sse": () => graphqlSse(),
};
const results = {};
for (const [name, run] of Object.entries(runs)) {
  requests.length = 0;
  results[name] = { ...(await run()), requests: requests.map(({ method, status }) => `${method} ${status}`) };
}
console.log(JSON.stringify(results));
