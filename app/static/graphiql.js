// GraphiQL against this server. The page says what stands in the editors at first: {query, headers}.
const start = JSON.parse(document.getElementById("start").textContent);

async function fetcher(operation, { headers }) {
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json",
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

// GraphiQL's history keeps the headers of each request, and so the token: it lasts as long as the page does.
const forgotten = new Map();
const isHistory = (key) => key === "graphiql:queries" || key === "graphiql:favorites";
const storage = {
  getItem: (key) => (isHistory(key) ? (forgotten.get(key) ?? null) : localStorage.getItem(key)),
  setItem: (key, value) => (isHistory(key) ? forgotten.set(key, value) : localStorage.setItem(key, value)),
  removeItem: (key) => (isHistory(key) ? forgotten.delete(key) : localStorage.removeItem(key)),
  clear: () => localStorage.clear(),
  get length() {
    return localStorage.length;
  },
};

const { createElement } = React;
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  createElement(
    GraphiQL,
    {
      fetcher,
      defaultQuery: start.query,
      defaultHeaders: JSON.stringify(start.headers, null, 2),
      defaultEditorToolsVisibility: "headers",
      shouldPersistHeaders: false,
      storage,
    },
    createElement(GraphiQL.Logo, null, "Lead Offers"),
  ),
);
