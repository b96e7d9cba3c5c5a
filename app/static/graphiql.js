// GraphiQL against this server. The page says what stands in the editors at first: {query, headers}.
const start = JSON.parse(document.getElementById("start").textContent);

function fetcher(operation, { headers, documentAST }) {
  const chosen = documentAST?.definitions.find(
    ({ kind, name }) =>
      kind === "OperationDefinition" && (!operation.operationName || name?.value === operation.operationName),
  );
  return chosen?.operation === "subscription" ? subscribe(operation, headers) : post(operation, headers);
}

async function post(operation, headers) {
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

// By the protocol graphql-transport-ws; whatever ends the connection ends the subscription, and is shown.
function subscribe(operation, headers) {
  const subscription = ({ next, error, complete }) => {
    const socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/[?#].*/, ""), "graphql-transport-ws");
    const send = (message) => socket.send(JSON.stringify(message));
    const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "authorization")?.[1];
    socket.onopen = () => send({ type: "connection_init", payload: { authorization } });
    socket.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === "connection_ack") send({ id: "1", type: "subscribe", payload: operation });
      else if (type === "ping") send({ type: "pong" });
      else if (type === "next") next(payload);
      else if (type === "error") error(payload);
      else if (type === "complete") complete();
    };
    socket.onclose = ({ code, reason }) => (code === 1000 ? complete() : error([{ message: `${code}: ${reason}` }]));
    return { unsubscribe: () => socket.close(1000) };
  };
  return {
    subscribe: (observer, error, complete) =>
      subscription(typeof observer === "function" ? { next: observer, error, complete } : observer),
  };
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
